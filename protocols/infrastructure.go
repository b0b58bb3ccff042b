package protocols

import "github.com/jwtsession/jwtsession"

// Keystone is OpenStack's [Identity API] v3, for a user with a password who works
// in a project. Email is the user's name; Extra has user_domain, project and
// project_domain, which are names. The base URL is Keystone's, without /v3; the
// other services are Origins.
//
// From the documentation. There is no refresh.
//
// [Identity API]: https://docs.openstack.org/api-ref/identity/v3/#authentication-and-token-management
var Keystone = jwtsession.Protocol{
	SignIn: "POST /v3/auth/tokens\n\n" + `{"auth": {
		"identity": {"methods": ["password"], "password": {"user": {
			"name": "{email}", "domain": {"name": "{user_domain}"}, "password": "{password}"}}},
		"scope": {"project": {"name": "{project}", "domain": {"name": "{project_domain}"}}}}}`,
	LogOut:    "DELETE /v3/auth/tokens\nX-Auth-Token: {token}\nX-Subject-Token: {token}",
	Token:     "header:X-Subject-Token",
	ExpiresAt: "token.expires_at",
	Send:      []string{"X-Auth-Token: {token}"},
}

// Redfish is the session service of a baseboard management controller that speaks
// DMTF's [Redfish]. Email is the user's name.
//
// From the specification (DSP0266). Sessions end after a time without a request, which
// is SessionTimeout of /redfish/v1/SessionService, in seconds; half an hour is assumed
// here. Copy the description, and change ExpiresIn, for others. Traps: there are few
// seats, so that a program that signs in each time locks everybody out; some, as HPE's
// [iLO], answer the sign-in with a message or without a body, and have no Id to renew
// and log out with, but a Location; the path of the sessions is what Links.Sessions of
// /redfish/v1/ says, and older [Dell]s have /redfish/v1/Sessions.
//
// [Redfish]: https://www.dmtf.org/standards/redfish
// [iLO]: https://github.com/HewlettPackard/ilo-rest-api-docs/blob/master/source/includes/_authentication.md
// [Dell]: https://www.dell.com/support/manuals/en-us/idrac7-8-lifecycle-controller-v2.30.30.30/redfish_v2.30.30.30/session
var Redfish = jwtsession.Protocol{
	SignIn:    "POST /redfish/v1/SessionService/Sessions\n\n" + `{"UserName": "{email}", "Password": "{password}"}`,
	Refresh:   "GET /redfish/v1/SessionService/Sessions/{id}\nX-Auth-Token: {token}",
	LogOut:    "DELETE /redfish/v1/SessionService/Sessions/{id}\nX-Auth-Token: {token}",
	Token:     "header:X-Auth-Token",
	ExpiresIn: "30m",
	Keep:      map[string]string{"id": "Id"},
	Send:      []string{"X-Auth-Token: {token}"},
}

// VCenter is the vSphere Automation API of a [vCenter] 7 or later. Email is the
// user's name, with its domain: "clerk@vsphere.local".
//
// From the documentation, which says that each request counts as a use of the session
// and an unknown one is a 401, but not after how long without a request it ends: half
// an hour is what sessions of the [older API] of the same server have.
//
// [vCenter]: https://developer.broadcom.com/xapis/vsphere-automation-api/latest/api/session/get
// [older API]: https://github.com/vmware/pyvmomi/issues/953
var VCenter = jwtsession.Protocol{
	SignIn:    "POST /api/session\nAuthorization: Basic {basic}",
	Refresh:   "GET /api/session",
	LogOut:    "DELETE /api/session",
	Token:     "body",
	ExpiresIn: "30m",
	Send:      []string{"vmware-api-session-id: {token}"},
}

// Wazuh is the API of a [Wazuh] manager. Email is the user's name.
//
// From the documentation and the source (api/api/authentication.py). Tokens live for 15
// minutes, unless the server says something else, and there is no refresh. Traps: the
// log-out ends all tokens of the user, those that are issued in the same second
// included, and a change of the RBAC mode ends those of everybody; 4.0 signed in with GET.
//
// [Wazuh]: https://documentation.wazuh.com/current/user-manual/api/getting-started.html
var Wazuh = jwtsession.Protocol{
	SignIn: "POST /security/user/authenticate\nAuthorization: Basic {basic}",
	LogOut: "DELETE /security/user/authenticate",
	Token:  "data.token",
}

// PrismaCloud is Palo Alto Networks' [Prisma Cloud]. Email and Password are an
// access key's id and secret. The base URL is that of the tenant's stack, as
// https://api2.prismacloud.io.
//
// From the documentation. Tokens live for [ten minutes], and an expired one is a 401.
// There is no log-out.
//
// [Prisma Cloud]: https://pan.dev/prisma-cloud/api/cspm/app-login/
// [ten minutes]: https://pan.dev/prisma-cloud/api/cspm/prisma-cloud-login-api-overview/
var PrismaCloud = jwtsession.Protocol{
	SignIn:    "POST /login\n\n" + `{"username": "{email}", "password": "{password}"}`,
	Refresh:   "GET /auth_token/extend",
	Token:     "token",
	ExpiresIn: "10m",
	Send:      []string{"x-redlock-auth: {token}"},
}

// Proxmox is the API of [Proxmox VE], with tickets. Email is the user's name, with
// its realm: "root@pam". The base URL is the node's: https://pve.example.com:8006.
//
// From the documentation and the [source]. Tickets live for two hours, and a ticket
// stands for the password where a new one is asked for. There is no log-out. Traps: what writes
// needs the CSRF token besides the cookie; a user with a second factor gets a
// challenge in place of a ticket. An API token, which needs no session, may do.
//
// [Proxmox VE]: https://pve.proxmox.com/wiki/Proxmox_VE_API#Authentication
// [source]: https://github.com/proxmox/pve-access-control/blob/master/src/PVE/API2/AccessControl.pm
var Proxmox = jwtsession.Protocol{
	SignIn:    "POST /api2/json/access/ticket\n\nusername={email}&password={password}",
	Refresh:   "POST /api2/json/access/ticket\n\nusername={email}&password={token}",
	Token:     "data.ticket",
	ExpiresIn: "2h",
	Keep:      map[string]string{"csrf": "data.CSRFPreventionToken"},
	Send:      []string{"Cookie: PVEAuthCookie={token}", "CSRFPreventionToken: {csrf}"},
}

// Rancher is a [Rancher] server, for a local user. Email is the user's name.
//
// From the documentation of the v3 API and the [source]. There is no refresh: tokens
// live for 16 hours, unless the server says something else. Trap: from 2.14 on Rancher phases
// tokens of this API out, in favour of those of [ext.cattle.io], which need one to
// begin with.
//
// [Rancher]: https://ranchermanager.docs.rancher.com/api/v3-rancher-api-guide
// [source]: https://github.com/rancher/rancher/blob/main/pkg/auth/providers/publicapi/login.go
// [ext.cattle.io]: https://ranchermanager.docs.rancher.com/v2.14/api/workflows/tokens
var Rancher = jwtsession.Protocol{
	SignIn:    "POST /v3-public/localProviders/local?action=login\n\n" + `{"username": "{email}", "password": "{password}"}`,
	LogOut:    "POST /v3/tokens?action=logout",
	Token:     "token",
	ExpiresAt: "expiresAt",
	ExpiresIn: "ttl ms",
}

// CiscoACI is the API of Cisco's [APIC]. Email is the user's name, with a domain
// where there are several: apic:local\clerk. The base URL is the controller's,
// without /api.
//
// From the documentation. Tokens live for ten minutes, and can be renewed for a day.
// Trap: an expired one is a 403.
//
// [APIC]: https://www.cisco.com/c/en/us/td/docs/dcn/aci/apic/all/apic-rest-api-configuration-guide/cisco-apic-rest-api-configuration-guide-42x-and-later/m_using_the_rest_api.html
var CiscoACI = jwtsession.Protocol{
	SignIn:    "POST /api/aaaLogin.json\n\n" + `{"aaaUser": {"attributes": {"name": "{email}", "pwd": "{password}"}}}`,
	Refresh:   "GET /api/aaaRefresh.json",
	LogOut:    "POST /api/aaaLogout.json\n\n" + `{"aaaUser": {"attributes": {"name": "{email}"}}}`,
	Token:     "imdata.0.aaaLogin.attributes.token",
	ExpiresIn: "imdata.0.aaaLogin.attributes.refreshTimeoutSeconds",
	Send:      []string{"Cookie: APIC-cookie={token}"},
	Rejects:   []int{401, 403},
}

// CiscoCatalystCenter is the API of Cisco's [Catalyst Center], formerly DNA Center.
// Email is the user's name.
//
// From the documentation. Tokens live for an hour; there is no refresh and no
// log-out.
//
// [Catalyst Center]: https://developer.cisco.com/docs/dna-center/authentication-api/
var CiscoCatalystCenter = jwtsession.Protocol{
	SignIn:    "POST /dna/system/api/v1/auth/token\nAuthorization: Basic {basic}",
	Token:     "Token",
	ExpiresIn: "1h",
	Send:      []string{"X-Auth-Token: {token}"},
}
