package main

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/jwtsession/jwtsession/internal/redaction"
)

// table is a table of a TOML file, by its keys. It is read by hand: decoding into a
// struct leaves out what does not fit into a map, and takes any case for a key.
type table = map[string]any

func parseTOML(content string) (table, error) {
	t := table{}
	if _, err := toml.Decode(content, &t); err != nil {
		return nil, withoutValues(err, content)
	}
	return t, nil
}

// twice are the parser's words for a key or a table that is there once more.
var twice = regexp.MustCompile(`^Key '(.*)' (?:has already been defined|was already created)`)

// withoutValues is an error of the parser's without what it quotes of the file: a
// secret below [NAME.extra] may be there, and miss its quotes. A key is none.
func withoutValues(err error, content string) error {
	var wrong toml.ParseError
	if !errors.As(err, &wrong) {
		return err
	}
	if found := twice.FindStringSubmatch(wrong.Message); found != nil {
		wrong.Message = found[1] + " is there twice: leave one"
		return wrong
	}
	lines := strings.Split(content, "\n")
	at := min(wrong.Position.Line, len(lines))
	around := strings.Join(lines[max(at-2, 0):min(at+1, len(lines))], "\n")
	if redaction.Of(around).Shows(wrong.Message) {
		wrong.Message = "this is no value: texts stand in quotes"
	}
	return wrong
}

// textAt is a key's value that has to be a text.
func textAt(value any, key toml.Key) (string, error) {
	text, isText := value.(string)
	if !isText {
		return "", fmt.Errorf("%s is no text: write it in quotes", key)
	}
	return text, nil
}

// textsAt is a key's value that has to be a table of texts.
func textsAt(value any, key toml.Key) (map[string]string, error) {
	all, isTable := value.(table)
	if !isTable {
		return nil, fmt.Errorf(`%s is no table: write %s = { NAME = "..." }`, key, key[len(key)-1])
	}
	texts := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		var err error
		if texts[name], err = textAt(all[name], below(key, name)); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// listOf reports whether a value is a list of nothing else.
func listOf[T any](value any) (all []T, fits bool) {
	list, isList := value.([]any)
	for _, each := range list {
		one, isOne := each.(T)
		if !isOne {
			return nil, false
		}
		all = append(all, one)
	}
	return all, isList
}

// below is the key of a name in a table; the nil key is the file's.
func below(in toml.Key, name string) toml.Key { return append(slices.Clip(in), name) }

// unknownKey is the error of a key that there is not.
func unknownKey(key toml.Key, known []string) error {
	advice := "there are " + inWords(known)
	if near := nearest(key[len(key)-1], known); near != "" {
		advice = "did you mean " + near + "?"
	}
	return fmt.Errorf("nothing is called %s: %s", key, advice)
}
