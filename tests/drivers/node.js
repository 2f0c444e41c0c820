// mysql2 of npm against a server: node.js HOST PORT, with NODE_PATH naming the folder it is installed in. Exit code 3: it is not installed.
// A line for each thing that does not hold, and a last line with the count. DRIVERS_SABOTAGE: see python.py.
'use strict';
let mysql;
try {
  mysql = require('mysql2/promise');
} catch (error) {
  console.log(`mysql2: ${error.message.split('\n')[0]}`);
  process.exit(3);
}
const [host, port] = process.argv.slice(2);
const options = { host, port: Number(port), user: 'root', supportBigNumbers: true, bigNumberStrings: true, dateStrings: true };
const TYPES = [
  ['TINYINT', -128], ['SMALLINT UNSIGNED', 65535], ['INT', -2147483648], ['BIGINT', '-9223372036854775808'],
  ['BIGINT UNSIGNED', '18446744073709551615'], ['FLOAT', 1.5], ['DOUBLE', 3.141592653589793], ['DECIMAL(40,20)', '-12345678901234567890.12345678901234567890'],
  ['DATE', '2024-02-29'], ['TIME(3)', '-838:59:58.999'], ['DATETIME(6)', '1999-12-31 23:59:59.999999'], ['TIMESTAMP NULL', '2024-02-29 12:34:56'],
  ['YEAR', 2024], ['VARCHAR(100)', 'grüße \u{1F600} \'"\\\0\n%'], ['MEDIUMTEXT', 't'.repeat(100000)], ['VARBINARY(300)', Buffer.from([...Array(256).keys()])],
  ['ENUM(\'a\',\'b\')', 'b'], ['SET(\'x\',\'y\')', 'x,y'], ['BIT(12)', Buffer.from([0x0a, 0xbc])], ['INT', null],
];
let checks = 0, bad = 0;
function check(name, holds, why) {
  checks += 1;
  if (!holds) {
    bad += 1;
    console.log(`mysql2: ${name}: ${why === undefined ? '' : String(why).slice(0, 200)}`);
  }
}
const same = (found, wanted) => (Buffer.isBuffer(wanted) ? Buffer.isBuffer(found) && found.equals(wanted) : String(found) === String(wanted));
async function code(promise) {
  try { await promise; return null; } catch (error) { return error.errno; }
}
async function session(how, more) {
  const db = await mysql.createConnection({ ...options, database: 'drivers', ...more });
  const names = TYPES.map((_, i) => `c${i}`).join(', ');
  for (const call of ['query', 'execute']) {
    await db.query('DROP TABLE IF EXISTS from_node');
    await db.query(`CREATE TABLE from_node (id INT AUTO_INCREMENT PRIMARY KEY, ${TYPES.map(([t], i) => `c${i} ${t}`).join(', ')})`);
    const [result] = await db[call](`INSERT INTO from_node (${names}) VALUES (${TYPES.map(() => '?').join(', ')})`, TYPES.map(([, v]) => v));
    check(`${how}, ${call}: insert id`, result.insertId === 1 && result.affectedRows === 1);
    if (process.env.DRIVERS_SABOTAGE) await db.query('UPDATE from_node SET c2 = 7');
    const [rows] = await db[call](`SELECT ${names} FROM from_node WHERE id = ?`, [1]);
    TYPES.forEach(([type, value], i) => check(`${how}, ${call}: ${type}`, same(rows[0][`c${i}`], value), rows[0][`c${i}`]));
    check(`${how}, ${call}: 1146`, await code(db[call]('SELECT * FROM nowhere')) === 1146);
    check(`${how}, ${call}: 1062`, await code(db[call]('INSERT INTO from_node (id) VALUES (1)')) === 1062);
    check(`${how}, ${call}: 1064`, await code(db[call]('SELEC 1')) === 1064);
    for (let i = 0; i < 50; i += 1) await db[call]('INSERT INTO from_node (c2) VALUES (?)', [i]);
  }
  await db.beginTransaction();
  await db.query('DELETE FROM from_node');
  await db.rollback();
  const [[{ n }]] = await db.query('SELECT COUNT(*) AS n FROM from_node');
  check(`${how}: rollback`, Number(n) === 51, n);
  await db.end();
}
async function cancel() {
  const [db, killer] = [await mysql.createConnection({ ...options, database: 'drivers' }), await mysql.createConnection(options)];
  const running = code(db.query('SELECT SUM(a.id * b.id + c.id * d.id + e.id) FROM from_node a, from_node b, from_node c, from_node d, from_node e'));
  await new Promise((done) => setTimeout(done, 500));
  await killer.query(`KILL QUERY ${db.threadId}`);
  check('cancel', await running === 1317, await running);
  check('goes on after a cancel', await code(db.query('SELECT 1')) === null);
  await db.end();
  await killer.end();
}
async function pool() {
  const many = mysql.createPool({ ...options, database: 'drivers', connectionLimit: 5 });
  const answers = await Promise.all([...Array(50).keys()].map((i) => many.execute('SELECT ? + 1 AS v', [i])));
  check('pool', answers.every(([[row]], i) => Number(row.v) === i + 1));
  await many.end();
}
(async () => {
  const db = await mysql.createConnection(options);
  await db.query('CREATE DATABASE IF NOT EXISTS drivers');
  await db.end();
  await session('plain', {});
  await session('TLS', { ssl: { rejectUnauthorized: false } });
  await session('compressed', { compress: true });
  await cancel();
  await pool();
  console.log(`mysql2: ${checks} checks, ${bad} do not hold`);
  process.exit(bad ? 1 : 0);
})().catch((error) => { console.log(`mysql2: ${error.stack}`); process.exit(1); });
