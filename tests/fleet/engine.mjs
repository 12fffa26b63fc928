// SPDX-License-Identifier: GPL-2.0-or-later
//
// engine.mjs duckdb|clickhouse FILES SCRIPT...: makes the table lines in a new database in memory, by
// the SQL that is installed for that engine, puts the files into it, and runs the SQL scripts. Prints
// {SCRIPT: [ROW...]} for those that return rows. ENGINES is the folder that engines.sh prints.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename } from 'node:path';

if (!process.env.ENGINES) throw new Error('ENGINES is not set');
const [engine, files, ...scripts] = process.argv.slice(2);
const require = createRequire(`${process.env.ENGINES}/`);
const text = (path) => readFileSync(path, 'utf8');
const installed = (name) => text(new URL(`../../user/dist/fleet/${name}`, import.meta.url));

// Each gives a function: SQL to rows, or undefined where a statement has none.
async function duckdb() {
	const { DuckDBInstance } = require('@duckdb/node-api');
	const connection = await (await DuckDBInstance.create()).connect();
	await connection.run(`SET VARIABLE files = '${files}'`);
	await connection.run(installed('duckdb.sql'));
	return async (sql) => {
		const reader = await connection.runAndReadAll(sql);
		return reader.columnCount ? reader.getRowObjectsJson() : undefined;
	};
}

async function clickhouse() {
	const { Session } = require('chdb');
	const session = new Session();
	session.query(installed('clickhouse.sql'));
	session.query(`INSERT INTO lines FROM INFILE '${files}' SETTINGS
		date_time_input_format = 'best_effort', input_format_skip_unknown_fields = 1
		FORMAT JSONEachRow`);
	return async (sql) => {
		const rows = session.query(sql, 'JSONEachRow').split('\n').filter(Boolean);
		return rows.length ? rows.map((row) => JSON.parse(row)) : undefined;
	};
}

const run = await { duckdb, clickhouse }[engine]();
const found = {};
for (const script of scripts) {
	const rows = await run(text(script));
	if (rows) found[basename(script)] = rows;
}
console.log(JSON.stringify(found));
