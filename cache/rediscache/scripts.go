package rediscache

import (
	"strconv"

	"github.com/redis/go-redis/v9"
)

// maxData is how many bytes an entry may have.
const maxData = 1 << 20

var maxValueText = strconv.Itoa(leaseValueLength + maxData)

// isHolder is what the scripts answer that check who holds the lease, if it is
// the caller.
const isHolder = int64(1)

// readEntry is the Lua function read, which returns the value of a key and its
// PTTL, both of the same instant, or an empty table if there is none. What is no
// entry of ours, being of another type or too large, it returns as an empty value:
// a miss that says so, and that the next Store replaces.
var readEntry = `
local function isOther(reply)
	return type(reply) == 'table' and string.find(reply.err, 'WRONGTYPE', 1, true)
end
local function read(key)
	local value = redis.pcall('GET', key)
	if not value then return {} end
	if isOther(value) or #value > ` + maxValueText + ` then return {'', 0} end
	if type(value) == 'table' then return value end
	return {value, redis.call('PTTL', key)}
end`

// Each script may run twice with the same arguments and then answers as it did
// the first time: the client repeats a command whose answer it did not get.
//
// An announcement is made with pcall, so that a user who may not publish can
// still write.
var (
	// loadScript returns what readEntry does: KEYS entry.
	loadScript = redis.NewScript(readEntry + `
return read(KEYS[1])`)

	// acquireScript takes the lease and returns the time in milliseconds by the
	// server's clock and, behind it, what loadScript does; or it returns how many
	// milliseconds the present holder's has left: KEYS lock and entry, ARGV the value
	// and the life of the lease, and the longest life that a lease may have. A lock
	// that would live for longer, or for ever, is not of our making; it gets the life
	// of a lease, or nobody would ever hold one again. Nor is one of another type, and
	// it is waited for like any other.
	acquireScript = redis.NewScript(readEntry + `
local holder = redis.pcall('GET', KEYS[1])
if isOther(holder) then holder = '' end
if type(holder) == 'table' then return holder end
if holder and holder ~= ARGV[1] then
	local left = redis.call('PTTL', KEYS[1])
	if left < 0 or left > tonumber(ARGV[3]) then
		redis.call('PEXPIRE', KEYS[1], ARGV[2])
		left = tonumber(ARGV[2])
	end
	return math.max(1, left)
end
local entry = read(KEYS[2])
if entry.err then return entry end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return {now, entry[1], entry[2]}`)

	// renewScript returns 1 if the lease was the caller's and has its whole life
	// again, else 0: KEYS lock, ARGV the value and the life of the lease.
	renewScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`)

	// storeScript writes the entry and ends the lease: KEYS lock and entry, ARGV
	// the value of the lease, the data, the life of the entry or 0, the channel, and
	// the time at which the entry had that life, by the server's clock. It returns 1,
	// or 0 if the lease is not the caller's. An entry that begins with the value of
	// the lease shows that this Store was done before.
	//
	// A command may lie in a connection for as long as the server is stopped, and
	// must not prolong the entry by that.
	storeScript = redis.NewScript(`
local value = ARGV[1] .. ARGV[2]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
	if redis.pcall('GET', KEYS[2]) == value then return 1 end
	return 0
end
if ARGV[3] == '0' then
	redis.call('SET', KEYS[2], value)
else
	local time = redis.call('TIME')
	local now = time[1] * 1000 + math.floor(time[2] / 1000)
	local left = ARGV[3] - math.max(0, now - ARGV[5])
	redis.call('SET', KEYS[2], value, 'PX', string.format('%d', math.max(1, left)))
end
redis.call('DEL', KEYS[1])
redis.pcall('PUBLISH', ARGV[4], '')
return 1`)

	// deleteScript removes the entry and keeps the lease: KEYS lock and entry,
	// ARGV the value of the lease. It returns 1, or 0 if the lease is not the
	// caller's.
	deleteScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
return 1`)

	// unlockScript ends the lease if it is the caller's: KEYS lock, ARGV the
	// value of the lease and the channel.
	unlockScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.pcall('PUBLISH', ARGV[2], '')
return 1`)
)
