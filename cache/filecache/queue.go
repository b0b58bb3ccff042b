package filecache

import "time"

// queue orders those in this process who want the lease on one key. It is in
// the map while somebody holds or awaits that lease.
type queue struct {
	turn  chan struct{} // has room for the one who looks at the files
	freed chan struct{} // wakes that one when a lease of this process ends

	// Guarded by Cache.mu.
	users  int
	holder *lease // of this process; nil: none
}

func (c *Cache) enter(n name) *queue {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.queues[string(n)]
	if q == nil {
		q = &queue{turn: make(chan struct{}, 1), freed: make(chan struct{}, 1)}
		c.queues[string(n)] = q
	}
	q.users++
	return q
}

func (c *Cache) leave(n name, q *queue) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q.users--
	if q.users == 0 {
		delete(c.queues, string(n))
	}
}

// localLeft is for how long a holder in this process need not be disturbed.
func (c *Cache) localLeft(q *queue) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if q.holder == nil {
		return 0
	}
	return time.Until(q.holder.end)
}

func (c *Cache) hold(q *queue, held *lease) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q.holder = held
}

// release wakes whoever waits in this process, after the lock was given back.
func (c *Cache) release(held *lease) {
	c.mu.Lock()
	if held.queue.holder == held {
		held.queue.holder = nil
	}
	c.mu.Unlock()
	select {
	case held.queue.freed <- struct{}{}:
	default:
	}
	c.leave(held.name, held.queue)
}
