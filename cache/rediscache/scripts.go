package rediscache

import "github.com/redis/go-redis/v9"

// isHolder is what the scripts answer that check who holds the lease, if it is
// the caller.
const isHolder = int64(1)

// Each script may run twice with the same arguments and then answers as it did
// the first time: the client repeats a command whose answer it did not get.
//
// An announcement is made with pcall, so that a user who may not publish can
// still write.
var (
	// loadScript returns the value of the entry and its PTTL, both of the same
	// instant, or an empty table if there is none: KEYS entry.
	loadScript = redis.NewScript(`
local value = redis.call('GET', KEYS[1])
if not value then return {} end
return {value, redis.call('PTTL', KEYS[1])}`)

	// acquireScript takes the lease and returns the time in milliseconds by the
	// server's clock and, behind it, what loadScript does; or it returns how many
	// milliseconds the present holder's has left: KEYS lock and entry, ARGV the value
	// and the life of the lease. A lock that would never expire is not of our making;
	// it gets a life, or nobody would ever hold the lease again.
	acquireScript = redis.NewScript(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
	local left = redis.call('PTTL', KEYS[1])
	if left < 0 then
		redis.call('PEXPIRE', KEYS[1], ARGV[2])
		left = tonumber(ARGV[2])
	end
	return math.max(1, left)
end
local value = redis.call('GET', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not value then return {now} end
return {now, value, redis.call('PTTL', KEYS[2])}`)

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
	if redis.call('GET', KEYS[2]) == value then return 1 end
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
