package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// likeness is how many letters may be wrong in what somebody meant.
const likeness = 2

func unknownCommand(in *cobra.Command, name string) error {
	in.SuggestionsMinimumDistance = likeness
	if near := in.SuggestionsFor(name); len(near) > 0 {
		return fmt.Errorf("unknown command %q: did you mean %q?", name, near[0])
	}
	return fmt.Errorf("unknown command %q: see %s --help", name, in.CommandPath())
}

// noArguments is for commands that have flags alone.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%s takes no arguments, and was given %q: see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())
}

// flagError says of a flag that cannot be read what could be.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		if near := nearestFlag(cmd, unknown.GetSpecifiedName()); near != "" {
			return fmt.Errorf("%w: did you mean --%s?", err, near)
		}
		return fmt.Errorf("%w: see %s --help", err, cmd.CommandPath())
	case errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "duration":
		flag := invalid.GetFlag()
		return fmt.Errorf("--%s is %q: give a number and its unit, such as --%s 5s or --%s 2m", flag.Name, invalid.GetValue(), flag.Name, flag.Name)
	case errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "int":
		return fmt.Errorf("--%s is %q: give a whole number", invalid.GetFlag().Name, invalid.GetValue())
	}
	return err
}

// nearestFlag is the flag that somebody meant who wrote name; empty if there is
// none like it.
func nearestFlag(cmd *cobra.Command, name string) string {
	var names []string
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if !flag.Hidden {
			names = append(names, flag.Name)
		}
	})
	return nearest(name, names)
}

// nearest is the one of the names that somebody meant who wrote name, as cobra
// finds the command; empty if there is none like it.
func nearest(name string, names []string) string {
	all := cobra.Command{SuggestionsMinimumDistance: likeness}
	for _, known := range names {
		all.AddCommand(&cobra.Command{Use: known, Run: func(*cobra.Command, []string) {}})
	}
	if near := all.SuggestionsFor(name); len(near) > 0 {
		return near[0]
	}
	return ""
}

// newHelpCommand is cobra's, but that a command which there is not is a mistake.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]...",
		Short: "Show the help of a command",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			parent, _, err := cmd.Root().Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, sub := range parent.Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, sub.Name()+"\t"+sub.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			about := cmd.Root()
			for _, name := range args {
				next, _, err := about.Find([]string{name})
				if err != nil || next == about {
					return &usageError{unknownCommand(about, name)}
				}
				about = next
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}
