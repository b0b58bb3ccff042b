//go:build linux

package main

// shrink returns a part of faults that still breaks, and is as short as could be
// found: the last ones first, then without what is not needed. breaks runs a
// history, and reports false as well when there is no more time. What breaks
// once may not break again: then it returns nil.
func shrink(faults []fault, breaks func([]fault) bool) []fault {
	var kept []fault
	for n := 1; kept == nil; n *= 4 {
		n = min(n, len(faults))
		if last := faults[len(faults)-n:]; breaks(last) {
			kept = last
		} else if n == len(faults) {
			return nil
		}
	}
	for parts := 2; len(kept) > 1; {
		size := (len(kept) + parts - 1) / parts
		shorter := false
		for from := 0; from < len(kept); from += size {
			without := append(append([]fault(nil), kept[:from]...), kept[min(from+size, len(kept)):]...)
			if len(without) > 0 && breaks(without) {
				kept, shorter = without, true
				break
			}
		}
		switch {
		case shorter:
			parts = max(2, parts-1)
		case size == 1:
			return kept
		default:
			parts *= 2
		}
	}
	return kept
}
