package core

import "time"

// scenarios are what the explorer goes through. Each has so much of some kinds of
// trouble that what they do to one another is gone through in full, and little of
// others.
//
// A tick is 20 s, a life four ticks with the refresh after three, Timeout two, the
// pause of a minute three.
func scenarios() []scenario {
	alone := func(name string, left map[trouble]uint8) scenario {
		s := scenario{
			name: name, sources: 1, tick: 20*time.Second + time.Millisecond, life: 4, warm: true,
			config: Config{Timeout: 40 * time.Second, Retries: []time.Duration{20 * time.Second}, Asks: true},
		}
		for t, n := range left {
			s.left[t] = n
		}
		return s
	}
	shared := func(name string, left map[trouble]uint8) scenario {
		s := alone(name, left)
		s.sources, s.config.Cache = 2, true
		return s
	}
	cached := func(name string, left map[trouble]uint8) scenario {
		s := alone(name, left)
		s.config.Cache = true
		return s
	}
	rotating := func(s scenario) scenario {
		s.rotates, s.longer = true, 4
		return s
	}
	renewable := func(s scenario) scenario {
		s.longer = 4
		return s
	}
	sliding := func(s scenario) scenario {
		s.slides = true
		return s
	}
	unknown := func(s scenario) scenario {
		s.life = 0
		return s
	}
	giving := func(s scenario) scenario {
		s.gives = true
		return s
	}
	cold := func(s scenario) scenario {
		s.warm = false
		return s
	}
	short := func(s scenario) scenario {
		s.tick, s.life, s.warm = 500*time.Millisecond, 1, false
		s.config.Timeout, s.config.Retries = 4*time.Second, []time.Duration{time.Second}
		return s
	}
	return []scenario{
		alone("rejections", map[trouble]uint8{ticks: 9, spurious: 5, requests: 1, logOuts: 1}),
		alone("outages", map[trouble]uint8{ticks: 6, aways: 1, losses: 1, unusables: 1, busies: 1, logOuts: 1, revokes: 1, closes: 1}),
		cold(alone("refusals", map[trouble]uint8{ticks: 8, wrongs: 2, rights: 1, asks: 1, aways: 1, spurious: 1, revokes: 1})),
		alone("chains", map[trouble]uint8{ticks: 8, ends: 1, stills: 1, deads: 1, spurious: 2, wrongs: 1, revokes: 1, closes: 1}),
		rotating(alone("a rotating State", map[trouble]uint8{ticks: 9, losses: 1, aways: 1, busies: 1, spurious: 2, revokes: 1, closes: 1})),
		short(alone("short lives", map[trouble]uint8{ticks: 20, losses: 1, aways: 1})),
		unknown(alone("expiries that nobody says", map[trouble]uint8{ticks: 5, aways: 1, busies: 1, spurious: 3, logOuts: 1, revokes: 1, ends: 1})),
		sliding(alone("sliding sessions", map[trouble]uint8{ticks: 8, losses: 1, aways: 1, spurious: 3, logOuts: 1})),
		sliding(shared("shared sliding sessions", map[trouble]uint8{ticks: 6, spurious: 2, logOuts: 1, requests: 1})),
		cached("old sessions in a store", map[trouble]uint8{ticks: 2, aways: 1, busies: 1, logOuts: 1, revokes: 1, putBacks: 1, spurious: 1}),
		unknown(shared("log-outs, and expiries that nobody says", map[trouble]uint8{ticks: 2, logOuts: 2, spurious: 1, requests: 1, revokes: 1})),
		shared("log-outs", map[trouble]uint8{ticks: 1, logOuts: 2, spurious: 1, requests: 1}),
		giving(shared("log-outs and a store", map[trouble]uint8{ticks: 2, logOuts: 1, outages: 1, deafs: 1, putBacks: 1, thefts: 1})),
		giving(rotating(shared("a shared State", map[trouble]uint8{ticks: 5, losses: 1, aways: 1, closes: 1, spurious: 1}))),
		rotating(shared("a shared State and a store", map[trouble]uint8{ticks: 3, losses: 1, outages: 1, unsure: 1, spurious: 1, closes: 1, asks: 1})),
		giving(rotating(shared("a shared State and revocations", map[trouble]uint8{ticks: 3, aways: 1, losses: 1, revokes: 1, logOuts: 1}))),
		cold(shared("a server in trouble", map[trouble]uint8{ticks: 4, busies: 1, unusables: 1, wrongs: 1, aways: 1})),
		shared("a busy server", map[trouble]uint8{ticks: 3, busies: 2, spurious: 2, logOuts: 1}),
		giving(shared("revocations", map[trouble]uint8{ticks: 1, revokes: 2, logOuts: 1, losses: 1, closes: 1, aways: 1})),
		renewable(shared("revocations, later", map[trouble]uint8{ticks: 6, revokes: 1, requests: 1, losses: 1})),
		shared("a little of all", map[trouble]uint8{
			ticks: 4, logOuts: 1, aways: 1, losses: 1, unusables: 1, busies: 1, wrongs: 1, ends: 1, spurious: 1, requests: 1,
			revokes: 1, closes: 1, outages: 1, deafs: 1, putBacks: 1, thefts: 1, unsure: 1, deads: 1,
		}),
	}
}
