package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/jwtsession/jwtsession"
	"github.com/jwtsession/jwtsession/internal/exchange"
	"github.com/jwtsession/jwtsession/protocols"
)

func newProtocolsCommand() *cobra.Command {
	output := choice{value: "text", of: []string{"text", "json"}}
	cmd := &cobra.Command{
		Use:   "protocols [NAME]",
		Short: "List the protocols that are known by name",
		Long: `List the protocols that --protocol, JWTSESSION_PROTOCOL and a profile know by
name, what each wants of the credentials, how its sessions are renewed, and
whether it has a log-out.

With NAME, show its description as a profile may have it below [NAME.protocol],
to be copied and changed. What each was tried against, and its traps, are told
by https://pkg.go.dev/github.com/jwtsession/jwtsession/protocols.`,
		Example: `  jwtsession protocols
  jwtsession protocols redfish >redfish.toml
  jwtsession protocol try redfish.toml --base-url https://bmc.example.com`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return protocolNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listProtocols(cmd.OutOrStdout(), output.value)
			}
			p, err := protocolByName(setting{args[0], "the argument"})
			if err != nil {
				return &usageError{err}
			}
			if output.value == "json" {
				return printJSON(cmd.OutOrStdout(), summaryOf(args[0], p))
			}
			_, err = io.WriteString(cmd.OutOrStdout(), describe(p.text()).String())
			return err
		},
	}
	output.register(cmd, "the list")
	return cmd
}

// text is the description, also of PacerPro's protocol, which the library needs
// none of.
func (p protocol) text() jwtsession.Protocol {
	if p.isPacerPros() {
		return exchange.PacerPro
	}
	return p.described
}

// protocolSummary is what the list tells of a protocol.
type protocolSummary struct {
	Name    string   `json:"name"`
	Wants   []string `json:"wants"`
	Renewed string   `json:"renewed"` // by what
	LogOut  bool     `json:"logOut"`
}

func summaryOf(name string, p protocol) protocolSummary {
	s := protocolSummary{Name: name, LogOut: p.LogOut != nil}
	for _, each := range []string{exchange.Email, exchange.Password, exchange.Code} {
		if p.wants(each) {
			s.Wants = append(s.Wants, each)
		}
	}
	s.Wants = append(s.Wants, p.extra()...)
	switch {
	case p.Refresh == nil:
		s.Renewed = "by signing in"
	case p.Refresh.Names(exchange.Password) || p.Refresh.Names(exchange.Basic):
		s.Renewed = "with the credentials"
	case p.Rotates() && p.text().RenewableFor > 0:
		s.Renewed = "with a refresh token"
	default:
		s.Renewed = "with the token"
	}
	return s
}

func listProtocols(out io.Writer, format string) error {
	var all []protocolSummary
	for name := range protocols.All() {
		p, err := protocolByName(setting{name, "package protocols"})
		if err != nil {
			return err
		}
		all = append(all, summaryOf(name, p))
	}
	if format == "json" {
		return printJSON(out, all)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tRENEWED\tLOG-OUT\tWANTS")
	for _, s := range all {
		logOut := "yes"
		if !s.LogOut {
			logOut = "none"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.Name, s.Renewed, logOut, strings.Join(s.Wants, ", "))
	}
	return table.Flush()
}
