// Package rediscache shares sessions between the processes of a fleet, through
// Redis 6 or newer or Valkey: standalone, behind Sentinel, or a Cluster.
//
//	client := redis.NewUniversalClient(&redis.UniversalOptions{
//		Addrs:                 []string{"cache.example.com:6379"},
//		ContextTimeoutEnabled: true,
//	})
//	store := rediscache.New(client)
//
// # What is stored
//
// Each key has two names and a channel, whose common hash tag puts them on one
// node of a Cluster. With the default prefix these are
//
//	{jwtsession:KEY}:entry    the entry, which expires with the session
//	{jwtsession:KEY}:lock     who holds the lease, which expires with the lease
//	{jwtsession:KEY}:changed  where the end of a lease is announced
//
// # The lease
//
// A lease is a name with a random value and a life of 10 seconds ([WithLease]).
// The holder renews it at a third of its life for as long as it holds it. A
// holder that is killed, stopped or cut off does not, and the lease is free once
// its life is over. Whoever then continues with it gets [cache.ErrLeaseLost]:
// each Store and Delete checks in Redis, in the step that writes, that the lease
// is still its own. All lives are relative and counted by Redis, so the clocks
// of the machines never meet; a Store that reaches Redis late is not counted from
// then.
//
// Everything is a Lua script that may be run again without harm, because
// go-redis sends a command again when the answer to it got lost.
//
// Those who wait for a lease ask again at growing, random intervals of at most
// two seconds. While a wait goes on, the process also listens for the
// announcement that the lease has ended, over one connection for all of its
// waits; that only makes the next question come sooner, and none is lost if
// listening is not allowed. It comes within a tenth of the time that the wait took
// so far, since a crowd that asked at once would not be answered in time; and who
// asked then and came too late goes by its intervals from then on.
//
// This is no Redlock, and does not need to be: the lease saves work and does
// not guard anything that must not happen twice. If Redis fails over to a
// replica that had not heard of a lease yet, two processes may hold it, and the
// price is one session call too many. Of the two, only the one whose value is in
// Redis can write.
//
// # When Redis is slow or away
//
// No round trip keeps its caller waiting for more than 250 milliseconds
// ([WithTimeout]), whatever the client's own timeouts and retries are. go-redis
// ignores deadlines while it reads from a connection unless the client was made
// with ContextTimeoutEnabled. Without it, a call that was given up holds its
// goroutine and its connection until the client's ReadTimeout, five seconds, and
// so do as many calls as the client's PoolSize allows. So set
// ContextTimeoutEnabled.
//
// An answer that go-redis panics over is an error like any other, and the program
// goes on. What go-redis does in goroutines of its own, such as a Cluster's
// look at its nodes, nobody can contain; and of a client that panicked while it
// greeted the server, a connection of its pool is lost, so that the store may be
// of no use until the program starts again. Those who wait listen no more with a
// client that panicked when they did, and ask only at their intervals.
//
// # Who can write to Redis
//
// Entries are sealed, so who can reach them and has no key cannot read or forge a
// session. What stands in an entry's place and is none, of whatever type or size,
// is a miss, and the next Store replaces it. A lock that lives longer than a
// minute, or for ever, is given the life of a lease. Somebody who makes a new
// one each time keeps the others from the lease: their Lock ends with its context,
// and a token source then works on its own.
//
// Whoever can list the keys of Redis, or has a dump of it, can test guesses of a
// password by an entry's name, some 45 a second on one core; package cache tells
// how. A Redis is seldom one program's alone: give the token sources a CacheKey.
//
// # Access rights
//
// A user that is for this alone needs these ACL rules (with another prefix,
// replace it in each):
//
//	resetkeys resetchannels -@all
//	~{jwtsession:*
//	+eval +evalsha +get +set +del +pexpire +pttl +time
//	&{jwtsession:*}:changed
//	+publish +psubscribe
//
// The last two lines may be left out: then those who wait ask only at their
// intervals. A Cluster adds
//
//	+cluster|slots +command
//
// (Redis 6, which has no rules for a subcommand: +cluster).
package rediscache
