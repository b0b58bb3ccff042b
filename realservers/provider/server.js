// An OpenID provider on a free port, with a resource that its access tokens open.
// It writes its port to standard output, and ends with its standard input.
import { createServer } from 'node:http';
import { Provider, errors } from 'oidc-provider';

const { LIFE, USER, PASSWORD } = process.env;
const life = Number(LIFE);
const scope = 'openid offline_access';

let handle;
const server = createServer((req, res) => handle(req, res));
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    clients: [
      {
        client_id: USER,
        client_secret: PASSWORD,
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
      },
      {
        client_id: 'app',
        client_secret: 'the secret of the app',
        token_endpoint_auth_method: 'client_secret_post',
        grant_types: ['password', 'refresh_token'],
        response_types: [],
        redirect_uris: [],
      },
    ],
    features: {
      clientCredentials: { enabled: true },
      revocation: { enabled: true },
      devInteractions: { enabled: false },
    },
    routes: { revocation: '/revoke' },
    ttl: { AccessToken: life, ClientCredentials: life, RefreshToken: 3600, Grant: 3600 },
    rotateRefreshToken: true,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  });

  // OpenID Connect has no grant with a password. The provider lets one add it.
  const issue = async (client, accountId) => {
    const grant = new provider.Grant({ accountId, clientId: client.clientId });
    grant.addOIDCScope(scope);
    const about = { accountId, client, grantId: await grant.save(), gty: 'password', scope };
    const refresh = new provider.RefreshToken(about);
    const access = new provider.AccessToken(about);
    return {
      access_token: await access.save(),
      refresh_token: await refresh.save(),
      expires_in: access.expiration,
      token_type: access.tokenType,
      scope,
    };
  };
  provider.registerGrantType('password', async (ctx) => {
    const { username, password } = ctx.oidc.params;
    if (username !== USER || password !== PASSWORD) throw new errors.InvalidGrant('wrong user or password');
    ctx.body = await issue(ctx.oidc.client, username);
  }, ['username', 'password', 'scope']);

  // What the provider has issued, so that it can be taken back.
  const tokens = new Set();
  for (const event of ['access_token.saved', 'client_credentials.saved', 'refresh_token.saved']) {
    provider.on(event, (token) => tokens.add(token));
  }
  provider.on('server_error', (_, error) => console.error(error));
  const callback = provider.callback();
  handle = async (req, res) => {
    const say = (status, body) => res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    switch (req.url) {
      case '/things': {
        const bearer = (req.headers.authorization ?? '').replace(/^Bearer /, '');
        const found = (await provider.AccessToken.find(bearer)) ?? (await provider.ClientCredentials.find(bearer));
        return say(found ? 200 : 401, found ? 'things' : { error: 'invalid_token' });
      }
      case '/test/revoke':
        await Promise.all([...tokens].map((token) => token.destroy()));
        tokens.clear();
        return say(200, {});
      case '/test/issue': { // as an authorization by a person would
        const client = await provider.Client.find('app');
        return say(200, await issue(client, USER));
      }
      default:
        return callback(req, res);
    }
  };
  console.log(port);
});
process.stdin.resume().on('end', () => process.exit(0));
