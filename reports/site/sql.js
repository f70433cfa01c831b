// DuckDB in the page, over the published file by ranges of HTTP. Loaded with the first query, from this host alone.
const $ = id => document.getElementById(id), here = name => new URL(name, location.href).href;
let connection;

async function connect() {
  await new Promise((done, fail) => { const script = document.createElement('script'); script.src = 'vendor/arrow.js'; script.onload = done; script.onerror = () => fail(new Error('vendor/arrow.js is missing')); document.head.append(script); });
  const duckdb = await import('./vendor/duckdb.js'), engine = new duckdb.AsyncDuckDB(new duckdb.VoidLogger(), new Worker(here('vendor/duckdb-worker.js')));
  await engine.instantiate(here('vendor/duckdb-eh.wasm'));
  await engine.open({filesystem: {reliableHeadRequests: true, allowFullHTTPReads: false, forceFullHTTPReads: false}});
  await engine.registerFileURL('datamoat.duckdb', here('datamoat.duckdb'), duckdb.DuckDBDataProtocol.HTTP, false);
  const found = await engine.connect();
  await found.query("attach 'datamoat.duckdb' as datamoat (read_only)");
  await found.query('use datamoat');
  await found.query("set autoinstall_known_extensions = false");
  return found;
}
// A value as text: days and times in UTC, lists with commas, nothing for null.
export function plain(value, type) {
  if (value === null || value === undefined) return '';
  const name = String(type);
  if (name.startsWith('Date')) return new Date(Number(value)).toISOString().slice(0, 10);
  if (name.startsWith('Timestamp')) return new Date(Number(value)).toISOString().slice(0, 19).replace('T', ' ');
  if (typeof value === 'object' && typeof value.toArray === 'function') return Array.from(value.toArray(), x => plain(x, '')).join(', ');
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return String(value);
}
export async function run(sql) {
  connection ??= connect().catch(failure => { connection = undefined; throw failure; });
  const table = await (await connection).query(sql), fields = table.schema.fields;
  return {columns: fields.map(f => f.name), rows: table.toArray().map(row => fields.map(f => plain(row[f.name], f.type)))};
}
function show({columns, rows}) {
  const table = document.createElement('table'), head = table.createTHead().insertRow(), body = table.createTBody();
  for (const name of columns) { const th = document.createElement('th'); th.scope = 'col'; th.textContent = name; head.append(th); }
  for (const row of rows.slice(0, 500)) { const tr = body.insertRow(); for (const text of row) { const td = tr.insertCell(); td.textContent = text; if (text !== '' && isFinite(text)) td.className = 'number'; } }
  $('result').replaceChildren(table);
  $('after').textContent = rows.length > 500 ? `The first 500 of ${rows.length.toLocaleString('en')} rows.` : `${rows.length} rows.`;
}
async function ask() {
  const sql = $('sql').value.trim().replace(/;$/, '');
  history.replaceState(null, '', `#sql=${encodeURIComponent(sql)}`);
  $('state').textContent = connection ? 'running' : 'loading the engine';
  const start = performance.now();
  try { show(await run(sql)); $('state').textContent = `done in ${((performance.now() - start) / 1000).toFixed(1)} s`; } catch (failure) { $('result').replaceChildren(); $('after').textContent = ''; $('state').textContent = failure.message; }
}
function fromAddress() { const found = location.hash.match(/^#sql=(.*)$/); if (found) { $('sql').value = decodeURIComponent(found[1]); ask(); } }
if ($('query')) {
  $('query').addEventListener('submit', event => { event.preventDefault(); ask(); });
  addEventListener('hashchange', fromAddress);
  fromAddress();
  window.moatSql = run;
}
