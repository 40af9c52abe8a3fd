// Another authorization server, to be measured beside ours: oidc-provider with client credentials and access tokens that
// are JWTs, signed with EdDSA, or opaque, as the argument says; kept in memory. Prints its address when it answers.
import { exportJWK, generateKeyPair } from 'jose'
import { createServer } from 'node:http'
import Provider from 'oidc-provider'

const { privateKey } = await generateKeyPair('EdDSA', { extractable: true })
const key = { ...(await exportJWK(privateKey)), alg: 'EdDSA', use: 'sig' }
const server = createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}`
const provider = new Provider(issuer, {
  clients: [{
    client_id: 'bench', client_secret: 'a-secret-of-the-bench', grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
    token_endpoint_auth_method: 'client_secret_basic', id_token_signed_response_alg: 'EdDSA',
  }],
  jwks: { keys: [key] },
  scopes: ['read:accounts'],
  enabledJWA: { idTokenSigningAlgValues: ['EdDSA'] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'urn:bench',
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: 'read:accounts', accessTokenTTL: 14400, accessTokenFormat: process.argv[2], jwt: { sign: { alg: 'EdDSA' } } }),
    },
  },
})
server.on('request', provider.callback())
console.log(issuer)
