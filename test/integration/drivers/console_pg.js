// SPDX-License-Identifier: PostgreSQL
// node-postgres on the console: simple and named statements, its pool's check, an error.
'use strict';

const assert = require('assert');
const { Client, Pool } = require('pg');

const connectionString = process.env.DATABASE_URL;

async function main() {
    const client = new Client({ connectionString });
    await client.connect();
    const simple = await client.query('SHOW POOLS');
    const pool = simple.rows.find((row) => row.database === 'app');
    assert.strictEqual(pool.cl_active, 1);
    assert.strictEqual(pool.load_balance_hosts, null);
    const named = { name: 'pools', text: 'SHOW POOLS WHERE database = \'app\'' };
    for (let i = 0; i < 3; i++) {
        assert.deepStrictEqual((await client.query(named)).rows, [pool]);
    }
    const both = await client.query('SHOW STATE; SHOW VERSION');
    assert.deepStrictEqual(both.map((result) => result.rowCount), [null, null]);
    assert.strictEqual(both[1].rows.length, 1);
    await assert.rejects(client.query('SHOW POOLS WHERE database = $1', ['app']), { code: '42P02' });
    await assert.rejects(client.query('SELECT 1'), { code: '42601' });
    await client.query('SET query_timeout = 7');
    await client.end();
    const many = new Pool({ connectionString, max: 4 });
    const states = await Promise.all(Array.from({ length: 16 }, () => many.query('SHOW STATE')));
    assert(states.every((result) => result.rows.length === 3));
    await many.end();
    console.log('console');
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
