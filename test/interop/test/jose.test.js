// Anybody can check our tokens with the published key set, and nobody else's pass.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRemoteJWKSet, decodeProtectedHeader, generateKeyPair, jwtVerify, SignJWT } from 'jose'
import { server } from '../server.js'

async function accessToken() {
  const response = await fetch(`${server.base_url}/v1/accounts/${server.account_id}/auth/token`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Basic ${btoa(`${server.client_id}:${server.client_secret}`)}`,
    },
    body: JSON.stringify({
      grant_type: 'client_credentials',
      audience: `${server.base_url}/v1/accounts/${server.account_id}`,
    }),
  })
  assert.equal(response.status, 200)
  return (await response.json()).access_token
}

function audience() {
  const url = new URL(server.base_url)
  return `${url.protocol}//${server.account_id}@${url.host}/v1/accounts/${server.account_id}`
}

test('verifies a token with the public key set', async () => {
  const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', server.base_url))
  const { payload, protectedHeader } = await jwtVerify(await accessToken(), keys, {
    issuer: server.base_url, audience: audience(), typ: 'at+jwt', algorithms: ['RS256'],
    requiredClaims: ['sub', 'client_id', 'iat', 'exp', 'jti', 'scope', 'scopes', 'version'],
  })
  assert.equal(protectedHeader.alg, 'RS256')
  assert.equal(payload.sub, server.client_id)
  assert.equal(payload.client_id, payload.sub)
  assert.equal(payload.scope, payload.scopes)
  assert.equal(payload.version, 2)
  assert.equal(payload.exp - payload.iat, 14400)
})

test('a token that another key signed opens nothing', async () => {
  const genuine = await accessToken()
  const { kid } = decodeProtectedHeader(genuine)
  const { privateKey } = await generateKeyPair('RS256')
  const forged = await new SignJWT({ client_id: server.client_id, scope: 'admin:accounts', scopes: 'admin:accounts', version: 2 })
    .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid })
    .setIssuer(server.base_url).setAudience(audience()).setSubject(server.client_id)
    .setJti('1').setIssuedAt().setExpirationTime('1h').sign(privateKey)
  const url = `${server.base_url}/v1/accounts/${server.account_id}/management/settings/connections/vipps`
  const call = (token) => fetch(url, { headers: { authorization: `Bearer ${token}` } })
  assert.equal((await call(genuine)).status, 404)
  const refused = await call(forged)
  assert.equal(refused.status, 401)
  assert.deepEqual(await refused.json(), { error: { errors: [], message: 'UNAUTHORIZED' } })
})
