// SPDX-License-Identifier: PostgreSQL
// postgres.js. It prepares everything, has a pool of its own, understands sslmode, and sends
// channel_binding to the server as a setting of the session.
import assert from 'assert';
import postgres from 'postgres';

const url = process.env.DATABASE_URL;
class Undone extends Error {}

async function prepared(sql) {
    for (let i = 0; i < 20; i++) {
        const [row] = await sql.begin((tx) => tx`SELECT ${i}::int + 1 AS n`);
        assert.strictEqual(row.n, i + 1);
    }
}

async function rollback(sql) {
    for (const n of [0, 1]) {
        const done = sql.begin(async (tx) => {
            await tx`INSERT INTO driver_rows VALUES ('postgres_js', 1)`;
            if (n === 0) throw new Undone();
        });
        await (n ? done : assert.rejects(done, Undone));
        const [row] = await sql`SELECT count(*)::int AS n FROM driver_rows WHERE driver = 'postgres_js'`;
        assert.strictEqual(row.n, n);
    }
}

async function error(sql) {
    await assert.rejects(sql`SELECT 1/0`, { code: '22012' });
    await assert.rejects(sql.begin((tx) => tx`SELECT 1/0`), { code: '22012' });
    const [row] = await sql`SELECT 1 AS n`;
    assert.strictEqual(row.n, 1);
}

async function cancel(sql) {
    const sleep = sql`SELECT pg_sleep(60)`;
    setTimeout(() => sleep.cancel(), 300);
    await assert.rejects(sleep, { code: '57014' });
    const [row] = await sql`SELECT 1 AS n`;
    assert.strictEqual(row.n, 1);
}

async function member(number) {
    const sql = postgres(url, { max: 1 });
    for (let i = 0; i < 10; i++) {
        await sql.begin(async (tx) => {
            const [row] = await tx`SELECT ${number}::int AS n`;
            assert.strictEqual(row.n, number);
            const [next] = await tx`SELECT ${number}::int + 1 AS n`;
            assert.strictEqual(next.n, number + 1);
        });
    }
    await sql.end();
}

const sql = postgres(url, { max: 1 });
const [row] = await sql`SELECT current_user AS name`;
assert.strictEqual(row.name, 'app');
console.log('connect');
await prepared(sql);
console.log('prepared');
await rollback(sql);
console.log('rollback');
await error(sql);
console.log('error');
await cancel(sql);
console.log('cancel');
await sql.end();
await Promise.all(Array.from({ length: 20 }, (_, number) => member(number)));
console.log('crowd');
