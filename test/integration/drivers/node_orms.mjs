// SPDX-License-Identifier: PostgreSQL
// What sits on node-postgres: Knex, Sequelize, TypeORM, Drizzle, Kysely, each with a pool of its own and its
// defaults. 20 transactions at a time count up one row; in each a savepoint fails and is rolled back to,
// and every fourth transaction fails as a whole.
import assert from 'assert';
import 'reflect-metadata';
import { drizzle } from 'drizzle-orm/node-postgres';
import { sql as drizzleSql } from 'drizzle-orm';
import knex from 'knex';
import { Kysely, PostgresDialect, sql as kyselySql } from 'kysely';
import pg from 'pg';
import { QueryTypes, Sequelize } from 'sequelize';
import { DataSource } from 'typeorm';

const connectionString = process.env.DATABASE_URL;
const READ = 'SELECT n FROM driver_rows WHERE driver = ';
const MAX = 8;

// Each: run(handle, text) gives rows, transaction(handle, body) nests, `handle` is null outside of one.
function onKnex() {
    const db = knex({ client: 'pg', connection: connectionString, pool: { min: 0, max: MAX } });
    return {
        run: async (t, text) => (await (t ?? db).raw(text)).rows,
        transaction: (t, body) => (t ?? db).transaction(body),
        end: () => db.destroy(),
    };
}

function onSequelize() {
    const db = new Sequelize(connectionString, { logging: false, pool: { max: MAX } });
    return {
        run: (t, text) => db.query(text, { transaction: t, type: QueryTypes.SELECT }),
        transaction: (t, body) => db.transaction({ transaction: t }, body),
        end: () => db.close(),
    };
}

async function onTypeORM() {
    const db = new DataSource({ type: 'postgres', url: connectionString, extra: { max: MAX } });
    await db.initialize();
    return {
        run: async (t, text) => {
            const answer = await (t ?? db).query(text);
            return Array.isArray(answer[0]) ? answer[0] : answer;
        },
        transaction: (t, body) => (t ?? db.manager).transaction(body),
        end: () => db.destroy(),
    };
}

function onDrizzle() {
    const pool = new pg.Pool({ connectionString, max: MAX });
    const db = drizzle(pool);
    return {
        run: async (t, text) => (await (t ?? db).execute(drizzleSql.raw(text))).rows,
        transaction: (t, body) => (t ?? db).transaction(body),
        end: () => pool.end(),
    };
}

function onKysely() {
    const pool = new pg.Pool({ connectionString, max: MAX });
    const db = new Kysely({ dialect: new PostgresDialect({ pool }) });
    const run = async (t, text) => (await kyselySql.raw(text).execute(t ?? db)).rows;
    return {
        run,
        async transaction(t, body) {
            if (!t) return db.transaction().execute(body);
            await run(t, 'SAVEPOINT inner_one');
            return body(t).catch(async (problem) => {
                await run(t, 'ROLLBACK TO inner_one');
                throw problem;
            });
        },
        end: () => db.destroy(),
    };
}

function stateOf(problem) {
    return problem.code ?? (problem.cause ?? problem.parent).code;
}

async function count(on, name, number) {
    await on.transaction(null, async (t) => {
        const [{ n }] = await on.run(t, `${READ}'${name}' FOR UPDATE`);
        const inner = on.transaction(t, (s) => on.run(s, 'SELECT 1/0'));
        await assert.rejects(inner, (problem) => stateOf(problem) === '22012');
        await on.run(t, `UPDATE driver_rows SET n = ${n + 1} WHERE driver = '${name}'`);
        if (number % 4 === 3) await on.run(t, 'SELECT nowhere');
    });
}

const all = { knex: onKnex, sequelize: onSequelize, typeorm: onTypeORM, drizzle: onDrizzle, kysely: onKysely };
for (const [name, start] of Object.entries(all)) {
    const on = await start();
    await on.run(null, `INSERT INTO driver_rows VALUES ('${name}', 0)`);
    const tasks = Array.from({ length: 20 }, (_, number) => count(on, name, number));
    const ends = await Promise.allSettled(tasks);
    const failed = ends.filter((end) => end.status === 'rejected').map((end) => stateOf(end.reason));
    assert.deepStrictEqual(failed, Array(5).fill('42703'));
    assert.deepStrictEqual(await on.run(null, `${READ}'${name}'`), [{ n: 15 }]);
    await on.end();
    console.log(name);
}
