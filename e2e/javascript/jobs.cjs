// What the JavaScript clients do in test_client_matrix.py: `node jobs.cjs CLIENT`. The place and the keys come from the environment, as for
// client_jobs.py; NODE_PATH names the packages.
'use strict'

const assert = require('node:assert/strict')
const { Readable } = require('node:stream')
const { buffer } = require('node:stream/consumers')

const { S3_BUCKET: BUCKET, S3_PREFIX: PREFIX, AWS_ENDPOINT_URL: ENDPOINT } = process.env
const { AWS_ACCESS_KEY_ID: KEY, AWS_SECRET_ACCESS_KEY: SECRET, AWS_SESSION_TOKEN: TOKEN } = process.env
const REGION = 'us-east-1'
const LARGE = Buffer.alloc(Number(process.env.S3_LARGE_MIB ?? 12) << 20, Buffer.from(Array.from({ length: 256 }, (_, n) => n)))
const NAMES = ['large', 'odd/name with spaces +&=ü.txt'].map(name => PREFIX + name)
const MIB = 1 << 20

/** The large object as it comes from a network: without a length, in pieces that are no multiple of a part. */
function* pieces() {
  for (let at = 0; at < LARGE.length; at += 1_000_000) yield LARGE.subarray(at, at + 1_000_000)
}

async function body(answer) {
  assert.ok(answer.ok, `${answer.status} ${await answer.clone().text()}`)
  return Buffer.from(await answer.arrayBuffer())
}

/** Sends a form as a browser does. */
async function post(url, fields, content) {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.append(name, value)
  form.append('file', new Blob([content]))
  await body(await fetch(url, { method: 'POST', body: form }))
}

async function awsSdk() {
  const s3 = require('@aws-sdk/client-s3')
  const { Upload } = require('@aws-sdk/lib-storage')
  const { getSignedUrl } = require('@aws-sdk/s3-request-presigner')
  const { createPresignedPost } = require('@aws-sdk/s3-presigned-post')
  const client = new s3.S3Client({ region: REGION, forcePathStyle: true })
  const [large, odd] = NAMES
  const read = async Key => Buffer.from(await (await client.send(new s3.GetObjectCommand({ Bucket: BUCKET, Key }))).Body.transformToByteArray())

  await new Upload({ client, partSize: 5 * MIB, params: { Bucket: BUCKET, Key: large, Body: Readable.from(pieces()) } }).done()
  for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'])
    await client.send(new s3.PutObjectCommand({ Bucket: BUCKET, Key: odd, Body: 'odd', ChecksumAlgorithm }))
  assert.ok(LARGE.equals(await read(large)))
  assert.equal((await read(odd)).toString(), 'odd')

  const signed = command => getSignedUrl(client, command, { expiresIn: 60 })
  await body(await fetch(await signed(new s3.PutObjectCommand({ Bucket: BUCKET, Key: PREFIX + 'put' })), { method: 'PUT', body: 'put' }))
  assert.equal((await body(await fetch(await signed(new s3.GetObjectCommand({ Bucket: BUCKET, Key: PREFIX + 'put' }))))).toString(), 'put')
  const form = await createPresignedPost(client, { Bucket: BUCKET, Key: PREFIX + 'post', Conditions: [['content-length-range', 0, 10]] })
  await post(form.url, form.fields, 'post')
  await client.send(new s3.CopyObjectCommand({ Bucket: BUCKET, Key: PREFIX + 'copy', CopySource: `${BUCKET}/${encodeURIComponent(odd)}` }))

  const listed = []
  for await (const page of s3.paginateListObjectsV2({ client, pageSize: 2 }, { Bucket: BUCKET, Prefix: PREFIX })) listed.push(...page.Contents)
  assert.deepEqual(listed.map(item => item.Key).sort(), [...NAMES, ...['copy', 'post', 'put'].map(name => PREFIX + name)].sort())
  await assert.rejects(client.send(new s3.HeadObjectCommand({ Bucket: BUCKET, Key: PREFIX + 'missing' })), { name: 'NotFound' })
  const gone = await client.send(new s3.DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects: listed.map(({ Key }) => ({ Key })) } }))
  assert.equal(gone.Errors, undefined)
}

async function minio() {
  const { Client, CopySourceOptions, CopyDestinationOptions } = require('minio')
  const { hostname, port } = new URL(ENDPOINT)
  const client = new Client({
    endPoint: hostname, port: Number(port), useSSL: false, accessKey: KEY, secretKey: SECRET, sessionToken: TOKEN, region: REGION, partSize: 5 * MIB,
  })
  const [large, odd] = NAMES
  const read = async name => buffer(await client.getObject(BUCKET, name))
  const list = async stream => (await stream.toArray()).map(item => item.name).sort()

  await client.putObject(BUCKET, large, Readable.from(pieces()))
  await client.putObject(BUCKET, odd, 'odd')
  assert.ok(LARGE.equals(await read(large)))
  await body(await fetch(await client.presignedPutObject(BUCKET, PREFIX + 'put', 60), { method: 'PUT', body: 'put' }))
  assert.equal((await body(await fetch(await client.presignedGetObject(BUCKET, odd, 60)))).toString(), 'odd')
  const policy = client.newPostPolicy()
  policy.setBucket(BUCKET)
  policy.setKey(PREFIX + 'post')
  policy.setExpires(new Date(Date.now() + 60_000))
  const form = await client.presignedPostPolicy(policy)
  await post(form.postURL, form.formData, 'post')
  await client.copyObject(BUCKET, PREFIX + 'copy', `/${BUCKET}/${odd}`)
  await client.composeObject(
    new CopyDestinationOptions({ Bucket: BUCKET, Object: PREFIX + 'composed' }),
    [large, PREFIX + 'put'].map(name => new CopySourceOptions({ Bucket: BUCKET, Object: name })),
  )
  assert.equal((await client.statObject(BUCKET, PREFIX + 'composed')).size, LARGE.length + 3)

  const names = [...NAMES, ...['composed', 'copy', 'post', 'put'].map(name => PREFIX + name)].sort()
  assert.deepEqual(await list(client.listObjectsV2(BUCKET, PREFIX, true)), names)
  assert.deepEqual(await list(client.listObjects(BUCKET, PREFIX, true)), names)
  await assert.rejects(client.statObject(BUCKET, PREFIX + 'missing'), { code: 'NotFound' })
  await client.removeObjects(BUCKET, names)
  assert.deepEqual(await list(client.listObjectsV2(BUCKET, PREFIX, true)), [])
}

const job = { 'aws-sdk-js': awsSdk, 'minio-js': minio }[process.argv[2]]
job().catch(error => {
  console.error(error)
  process.exitCode = 1
})
