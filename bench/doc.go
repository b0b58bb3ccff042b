// Package bench measures jwtsession beside the libraries that people use for the
// same job, in the same run of the same program. It is a module of its own, so
// that none of its dependencies become the library's.
//
// The commands and tests are listed in README.md.
package bench
