// A strict OAuth 2 library finds its way from the metadata alone.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as oauth from 'oauth4webapi'
import { server } from '../server.js'

const insecure = { [oauth.allowInsecureRequests]: true } // http on the loopback interface

async function discover() {
  const issuer = new URL(server.base_url)
  const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
  return oauth.processDiscoveryResponse(issuer, response)
}

async function grant(as, secret, parameters = {}) {
  const client = { client_id: server.client_id }
  const response = await oauth.clientCredentialsGrantRequest(
    as, client, oauth.ClientSecretBasic(secret), new URLSearchParams(parameters), insecure)
  return oauth.processClientCredentialsResponse(as, client, response)
}

test('gets a token from the announced endpoint', async () => {
  const token = await grant(await discover(), server.client_secret)
  assert.equal(token.token_type, 'bearer') // the library writes it in lower case
  assert.equal(token.expires_in, 14400)
  assert.ok(token.scope.split(' ').includes('write:accounts'))
})

test('uses the token that it got', async () => {
  const { access_token } = await grant(await discover(), server.client_secret)
  const url = new URL(`/v1/accounts/${server.account_id}/auth/keys`, server.base_url)
  const response = await oauth.protectedResourceRequest(access_token, 'GET', url, undefined, undefined, insecure)
  assert.equal(response.status, 200)
  assert.equal((await response.json())[0].use, 'sig')
})

test('gets fewer scopes when it asks for fewer', async () => {
  const token = await grant(await discover(), server.client_secret, { scope: 'read:accounts' })
  assert.equal(token.scope, 'read:accounts')
})

test('understands a refusal', async () => {
  const as = await discover()
  await assert.rejects(grant(as, 'wrong'), (err) => err instanceof oauth.WWWAuthenticateChallengeError
    || err.error === 'invalid_client')
  await assert.rejects(grant(as, server.client_secret, { scope: 'operator:connections' }), { error: 'invalid_scope' })
})

test('accepts our access token as an RFC 9068 resource server', async () => {
  const as = await discover()
  const { access_token } = await grant(as, server.client_secret)
  const url = new URL(server.base_url)
  const audience = `${url.protocol}//${server.account_id}@${url.host}/v1/accounts/${server.account_id}`
  const request = new Request(server.base_url, { headers: { authorization: `Bearer ${access_token}` } })
  const claims = await oauth.validateJwtAccessToken(as, request, audience, insecure)
  assert.equal(claims.sub, server.client_id)
  assert.equal(claims.client_id, server.client_id)
})

test('refuses metadata of another issuer', async () => {
  const issuer = new URL(server.base_url)
  const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
  await assert.rejects(oauth.processDiscoveryResponse(new URL('http://localhost'), response))
})
