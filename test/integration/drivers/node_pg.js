// SPDX-License-Identifier: PostgreSQL
// node-postgres. It verifies the certificate whenever the URL has an sslmode: NODE_EXTRA_CA_CERTS names
// the file that `pgballast --print-ca` has printed.
'use strict';

const assert = require('assert');
const { Client, Pool } = require('pg');

const connectionString = process.env.DATABASE_URL;
const increment = (n) => ({ name: 'increment', text: 'SELECT $1::int + 1 AS n', values: [n] });

async function first(client, text, values) {
    const { rows } = await client.query(text, values);
    return Object.values(rows[0])[0];
}

async function prepared(client) {
    for (let i = 0; i < 20; i++) {
        await client.query('BEGIN');
        assert.strictEqual(await first(client, increment(i)), i + 1);
        await client.query('COMMIT');
    }
}

async function rollback(client) {
    for (const [end, n] of [['ROLLBACK', '0'], ['COMMIT', '1']]) {
        await client.query('BEGIN');
        await client.query('INSERT INTO driver_rows VALUES ($1, $2)', ['node_pg', 1]);
        await client.query(end);
        const count = "SELECT count(*) FROM driver_rows WHERE driver = 'node_pg'";
        assert.strictEqual(await first(client, count), n);
    }
}

async function error(client) {
    await assert.rejects(client.query('SELECT 1/$1::int', [0]), { code: '22012' });
    assert.strictEqual(await first(client, 'SELECT 1'), 1);
    await client.query('BEGIN');
    await assert.rejects(client.query('SELECT 1/0'), { code: '22012' });
    await assert.rejects(client.query('SELECT 1'), { code: '25P02' });
    await client.query('ROLLBACK');
}

// It has no cancel of its own that is documented; another connection does it.
async function cancel(client, pool) {
    const sleep = assert.rejects(client.query('SELECT pg_sleep(60)'), { code: '57014' });
    const find = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'";
    while ((await first(pool, find)) === '0') {
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await sleep;
    assert.strictEqual(await first(client, 'SELECT 1'), 1);
}

// An older one has no pipelines; it sends one after the other, with the same answers.
async function pipeline() {
    const client = new Client({ connectionString, pipeline: true });
    await client.connect();
    const rollback = { name: 'rollback', text: 'ROLLBACK' };
    for (let i = 0; i < 10; i++) {
        const sent = ['BEGIN', increment(i), 'SELECT 1/0', increment(i), rollback, increment(i)];
        const ends = await Promise.allSettled(sent.map((query) => client.query(query)));
        const told = ends.map((end) => end.reason?.code ?? end.value.rows[0]?.n ?? end.value.command);
        assert.deepStrictEqual(told, ['BEGIN', i + 1, '22012', '25P02', 'ROLLBACK', i + 1]);
    }
    await client.end();
}

async function member(number) {
    const client = new Client({ connectionString });
    await client.connect();
    for (let i = 0; i < 10; i++) {
        await client.query('BEGIN');
        assert.strictEqual(await first(client, increment(number)), number + 1);
        assert.strictEqual(await first(client, 'SELECT $1::int', [number]), number);
        await client.query('COMMIT');
    }
    await client.end();
}

async function main() {
    const client = new Client({ connectionString });
    await client.connect();
    assert.strictEqual(await first(client, 'SELECT current_user'), 'app');
    assert(client.connection.stream.authorized, 'the certificate is not verified');
    console.log('connect');
    await prepared(client);
    console.log('prepared');
    await rollback(client);
    console.log('rollback');
    await error(client);
    console.log('error');
    const pool = new Pool({ connectionString });
    await cancel(client, pool);
    await pool.end();
    console.log('cancel');
    await client.end();
    await Promise.all(Array.from({ length: 5 }, pipeline));
    console.log('pipeline');
    await Promise.all(Array.from({ length: 20 }, (_, number) => member(number)));
    console.log('crowd');
}

main().catch((problem) => {
    console.error(problem);
    process.exit(1);
});
