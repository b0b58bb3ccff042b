// Package protocols describes how real APIs hand out sessions:
//
//	ts, err := jwtsession.New(jwtsession.Config{
//		BaseURL:     "https://pocketbase.example.com",
//		Protocol:    &protocols.PocketBase,
//		Credentials: jwtsession.Credentials{Email: email, Password: password},
//	})
//
// Each variable says what it was tried against. Where that is the documentation
// alone it may be wrong about a server: what an API does beyond its documentation
// is found by trying. A description is a value: copy it to change it.
//
// All of them are held against a strict server of our own, package sessiontest,
// through the whole of a session's life.
package protocols

import (
	"iter"
	"maps"
	"slices"

	"github.com/jwtsession/jwtsession"
)

// byName has the variables by the name that the command knows them by.
var byName = map[string]*jwtsession.Protocol{
	"cisco-aci":                 &CiscoACI,
	"cisco-catalyst-center":     &CiscoCatalystCenter,
	"directus":                  &Directus,
	"gin-jwt":                   &GinJWT,
	"gin-jwt-v2":                &GinJWTv2,
	"home-assistant":            &HomeAssistant,
	"jellyfin":                  &Jellyfin,
	"keystone":                  &Keystone,
	"nginx-proxy-manager":       &NginxProxyManager,
	"oauth2-client-credentials": &OAuth2ClientCredentials,
	"oauth2-password":           &OAuth2Password,
	"oauth2-refresh-token":      &OAuth2RefreshToken,
	"pacerpro":                  &PacerPro,
	"pi-hole":                   &PiHole,
	"pocketbase":                &PocketBase,
	"pocketbase-superusers":     &PocketBaseSuperusers,
	"portainer":                 &Portainer,
	"prisma-cloud":              &PrismaCloud,
	"proxmox":                   &Proxmox,
	"rancher":                   &Rancher,
	"redfish":                   &Redfish,
	"simplejwt":                 &SimpleJWT,
	"strapi":                    &Strapi,
	"supabase":                  &Supabase,
	"vcenter":                   &VCenter,
	"wazuh":                     &Wazuh,
}

// All are the descriptions by their names, in the order of these.
func All() iter.Seq2[string, jwtsession.Protocol] {
	return func(yield func(string, jwtsession.Protocol) bool) {
		for _, name := range slices.Sorted(maps.Keys(byName)) {
			if !yield(name, *byName[name]) {
				return
			}
		}
	}
}

// ByName returns the description that has this name, "pocketbase" for instance.
func ByName(name string) (p jwtsession.Protocol, found bool) {
	described, found := byName[name]
	if found {
		p = *described
	}
	return p, found
}
