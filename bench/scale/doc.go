// Package scale shows in virtual time what becomes of many sources: 10,000 that
// share one account through Redis, before and after a log-out everywhere, and
// 100,000 accounts in one process. What it prints is in docs/scale.md.
//
//	go test ./scale -v -timeout 30m -run OneAccount -fleet 10000
//	go test ./scale -v -timeout 30m -run ManyAccounts -accounts 100000
//
// Without the flags the numbers are small, and the same bounds hold.
package scale
