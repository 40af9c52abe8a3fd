// The library that most Node servers use: discovery, a token, a protected call.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as client from 'openid-client'
import { server } from '../server.js'

test('discovers, gets a token and enrols a merchant', async () => {
  const config = await client.discovery(
    new URL(server.base_url), server.client_id, undefined, client.ClientSecretBasic(server.client_secret),
    { algorithm: 'oauth2', execute: [client.allowInsecureRequests] })
  const token = await client.clientCredentialsGrant(config)
  const url = new URL(`/v1/accounts/${server.account_id}/management/settings/connections/mastercard-3ds`, server.base_url)
  const response = await client.fetchProtectedResource(
    config, token.access_token, url, 'POST',
    JSON.stringify({ signup: { case_id: '3c90c3cc-0d44-4b50-8888-8dd25736052a' } }),
    new Headers({ 'content-type': 'application/json' }))
  assert.equal(response.status, 200)
  const connection = await response.json()
  assert.equal(connection.status, 'pending')
  assert.equal(connection.created_by, server.client_id)
})

test('is told when its secret is wrong', async () => {
  const config = await client.discovery(
    new URL(server.base_url), server.client_id, undefined, client.ClientSecretBasic('wrong'),
    { algorithm: 'oauth2', execute: [client.allowInsecureRequests] })
  await assert.rejects(client.clientCredentialsGrant(config))
})
