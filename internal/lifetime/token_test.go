package lifetime

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// unsigned is a token with this header and these claims, and some signature.
func unsigned(header, claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(claims)) + "." + encode([]byte("signature"))
}

// realToken has the header and the claims of one of PacerPro's.
func realToken() string {
	return unsigned(`{"typ":"JWT","alg":"HS256"}`, `{"jti":"c0b507a7-2716-4f3e-af6a-46b26fdc24e2","sub":1,"exp":1500334993,"scp":"user"}`)
}

// E1
func TestTheRealTokenExpiresWhenItSays(t *testing.T) {
	got := OfToken(realToken())
	if want := time.Date(2017, 7, 17, 23, 43, 13, 0, time.UTC); !got.Expiry.Equal(want) || got.ID != "c0b507a7-2716-4f3e-af6a-46b26fdc24e2" {
		t.Errorf("got expiry %v and jti %q, want %v and that of the token", got.Expiry, got.ID, want)
	}
}

// E1: an exp of any shape that a server may write, and no exp at all.
func TestExpIsReadAsAnIntegerAFloatOrANumericString(t *testing.T) {
	at := time.Unix(1500334993, 0).UTC()
	none := time.Time{}
	for exp, want := range map[string]time.Time{
		`1500334993`: at, `1500334993.0`: at, `1.500334993e9`: at, `1500334993.25`: at.Add(250 * time.Millisecond),
		`"1500334993"`: at, `" 1500334993 "`: at, `"1500334993.25"`: at.Add(250 * time.Millisecond), `"1.500334993e9"`: at,
		`0`: none, `-1`: none, `0.5`: none, `1`: time.Unix(1, 0), `253402300799`: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		`253402300800`: none, `1500334993000`: none, `9223372036854775807`: none, `9223372036854775808`: none, `-9223372036854775808`: none,
		`-62135596800`: none, `-62135596801`: none, `-62135596799`: none, `-62135596800.5`: none, `1e300`: none, `1e400`: none, `-1e300`: none,
		`null`: none, `true`: none, `""`: none, `"soon"`: none, `"NaN"`: none, `"Inf"`: none, `"-Inf"`: none, `{}`: none, `[1500334993]`: none,
		`"2017-07-17T23:43:13Z"`: none,
	} {
		got := OfToken(unsigned(`{"typ":"JWT","alg":"HS256"}`, `{"exp":`+exp+`}`)).Expiry
		if !got.Equal(want) {
			t.Errorf("exp %s: got %v, want %v", exp, got, want)
		}
	}
}

// E1: the other claims, and the header, are the server's business.
func TestNoOtherClaimIsJudged(t *testing.T) {
	for _, claim := range []string{
		`"sub":1`, `"sub":"1"`, `"sub":null`, `"sub":{"id":1}`, `"sub":[1]`, `"sub":1.5`, `"sub":true`, `"sub":1e400`,
		`"iat":"yesterday"`, `"iat":99999999999999`, `"nbf":99999999999`, `"nbf":"never"`, `"aud":7`, `"aud":[1,"a"]`, `"iss":[]`, `"jti":12`, `"scp":["user"]`, `"":""`,
	} {
		if got := OfToken(unsigned(`{"typ":"JWT","alg":"HS256"}`, `{`+claim+`,"exp":1500334993}`)).Expiry.Unix(); got != 1500334993 {
			t.Errorf("with %s: got exp %d, want 1500334993", claim, got)
		}
	}
	for _, header := range []string{`{"typ":"JWT","alg":"HS256"}`, `{"alg":"none"}`, `{"alg":"unheard of"}`, `{"alg":7}`, `{}`, `{"typ":"at+jwt","alg":"EdDSA","kid":"a","crit":["b"]}`} {
		if got := OfToken(unsigned(header, `{"exp":1500334993}`)).Expiry.Unix(); got != 1500334993 {
			t.Errorf("with the header %s: got exp %d, want 1500334993", header, got)
		}
	}
}

// E1
func TestATokenThatIsNoJWTHasNoExpiry(t *testing.T) {
	for _, token := range []string{"", "opaque", "a.b", "a.b.c", "..", "a.b.c.d.e", "é.é.é", unsigned(`{}`, `[]`), unsigned(`{}`, `"exp"`), unsigned(`{}`, `{"exp":1`), "Bearer " + realToken(), strings.Repeat("a.", 10_000)} {
		if got := OfToken(token); got != (Claims{}) {
			t.Errorf("%.40q: got %v, want no claims", token, got)
		}
	}
}

// E1, E3: whatever stands in a token, its expiry can be written, and no sub, iat
// or signature makes it unreadable.
func FuzzTheExpiryOfAToken(f *testing.F) {
	f.Add(realToken())
	f.Add("opaque")
	for _, claims := range []string{`{}`, `[]`, `{"exp":1.5e9}`, `{"exp":"1500334993"}`, `{"exp":-62135596800}`, `{"exp":1e400}`, `{"sub":[1],"exp":253402300799.9}`, `{"exp":{}}`, `{"exp":253402300799,"iat":1}`, `{"exp":5,"iat":"7"}`} {
		f.Add(unsigned(`{"alg":"HS256"}`, claims))
		f.Add(claims)
	}
	f.Fuzz(func(t *testing.T, text string) {
		// As a token, and as the claims of one.
		for _, token := range []string{text, unsigned(`{"typ":"JWT","alg":"HS256"}`, text)} {
			got := OfToken(token)
			if !inRange(got.Expiry) || !inRange(got.IssuedAt) {
				t.Errorf("%q: got an expiry of %d, issued at %d, want times of RFC 3339", token, got.Expiry.Unix(), got.IssuedAt.Unix())
			}
			for _, ahead := range []time.Duration{LargestCorrection, -LargestCorrection, 0} {
				start := time.Unix(1500334993, 0)
				local := Answer{Start: start, End: start.Add(time.Second), ServerTime: start.Add(ahead)}.Local(got.Expiry, got.IssuedAt)
				if !inRange(local) || local.IsZero() != got.Expiry.IsZero() {
					t.Errorf("%q: with a clock that is %v ahead the expiry is %d, want one of RFC 3339", token, ahead, local.Unix())
				}
			}
		}
	})
}

// C1, T11: what ends together shares the whole of its jti.
func TestTheFingerprintOfATokenIsOfItsWholeJTI(t *testing.T) {
	of := func(jti string) [8]byte { return Claims{ID: jti}.Fingerprint() }
	if of("") != [8]byte{} {
		t.Errorf("without a jti: got %x, want zeros", of(""))
	}
	// Of version 7 (RFC 9562), and of the same minute.
	one, other := of("0197f6a1-5d3c-7000-8000-000000000001"), of("0197f6a1-6e4d-7000-8000-000000000002")
	if one == other || one == [8]byte{} || one != of("0197f6a1-5d3c-7000-8000-000000000001") {
		t.Errorf("got %x and %x, want two that differ, and the same for the same jti", one, other)
	}
}
