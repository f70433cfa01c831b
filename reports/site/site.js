// The index: leaders on a day, and the knobs of the what-if. Everything is readable without it.
import {read, volumes, questions} from './whatif.js';

const $ = id => document.getElementById(id);
const rating = x => x === null ? '–' : (x >= 1000 ? Math.round(x) : Number(x.toPrecision(4))).toLocaleString('en', {maximumFractionDigits: 20});
const cell = (row, text, kind) => { const td = document.createElement('td'); td.textContent = text; if (kind) td.className = kind; row.append(td); return td; };

// ---- who led on a day
const byDay = $('by-day');
let leaders;
byDay.hidden = false;
$('day').addEventListener('change', async () => {
  leaders ??= await (await fetch('leaders.json')).json();
  const day = $('day').value;
  let n = 0;
  for (const row of document.querySelectorAll('#leaders tbody tr')) {
    const found = leaders.filter(([board, on]) => board === row.dataset.board && on <= day).pop(), cells = row.querySelectorAll('td');
    n += !!found;
    [found?.[1] ?? 'no capture yet', found?.[2] ?? '–', found ? rating(found[4]) : '–', found ? new Date(Date.parse(found[1]) + row.dataset.bound * 864e5).toISOString().slice(0, 10) : '–'].forEach((text, i) => { cells[i].textContent = text; });
  }
  $('day-note').textContent = `${n} boards had a capture on or before ${day}`;
});

// ---- what if
const LARGE = [[1e12, 'trillion'], [1e9, 'billion'], [1e6, 'million']];
// two significant digits, or whole where it is larger; large numbers have two and a word, as everywhere (views/panels.py)
const two = x => x === 0 ? '0' : (Math.abs(x) < 10 ? x.toLocaleString('en', {minimumSignificantDigits: 2, maximumSignificantDigits: 2}) : Math.round(x).toLocaleString('en')).replace('-', '−');
const many = x => { const rounded = Number(x.toPrecision(2)); for (const [size, name] of LARGE) if (Math.abs(rounded) >= size) return `${two(rounded / size)} ${name}`; return two(rounded); };
const signed = x => (x > 0 ? '+' : '') + two(x);
const plainWord = word => word.replaceAll('_', ' ');
const WORDS = {amount: 'Among owners, does more video go with a higher rating?', short: 'Is it short video that counts?'};
const LABELS = {
  dup_share_hours: 'Near-duplicates among hours', yield_hours_raw_to_pretrain: 'Hours kept by quality filters', tiktok_us_share: 'Share of TikTok in the United States',
  scrape_hours: 'Hours taken from the public web', licensed_hours: 'Hours under licence', access_owner: 'Share of its own platform that a lab may use',
  access_group_platform: 'Share where nothing is known of the platform', access_bytedance_tiktok: 'Share of TikTok that ByteDance may use',
};
let model, before, beforeAnswers, shown, timer;

function setting() {
  const set = {};
  for (const input of $('knobs').querySelectorAll('input')) if (input.dataset.set) set[input.name] = Number(input.dataset.set);
  return set;
}
const value = input => input.dataset.log ? Math.exp(Number(input.value)) : Number(input.value);
function order(set) { const v = volumes(model, set, shown); return [...shown].sort((a, b) => v[b].p50 - v[a].p50).join(); }

function knob(name, label, low, high, isLog, note) {
  const box = document.createElement('div'), input = document.createElement('input'), tag = document.createElement('label'), output = document.createElement('output'), small = document.createElement('small');
  box.className = 'knob';
  Object.assign(input, {type: 'range', name, id: `k-${name}`, min: isLog ? Math.log(low) : low, max: isLog ? Math.log(high) : high, step: 'any'});
  if (isLog) input.dataset.log = '1';
  input.value = (Number(input.min) + Number(input.max)) / 2;
  tag.htmlFor = input.id; tag.append(`${label}: `, output); output.textContent = 'as published'; output.htmlFor = input.id; small.textContent = note;
  input.addEventListener('input', () => { input.dataset.set = value(input); output.textContent = many(value(input)); change(); });
  box.append(tag, input, small); $(name.startsWith('access.') ? 'own' : 'common').append(box);
  return {input, output};
}

function change() {
  const set = setting(), now = volumes(model, set, shown), sorted = [...shown].sort((a, b) => now[b].p50 - now[a].p50), published = [...shown].sort((a, b) => before[b].p50 - before[a].p50);
  const body = $('hours').tBodies[0];
  body.replaceChildren(...sorted.map((company, i) => {
    const row = document.createElement('tr'), head = document.createElement('th'), was = published.indexOf(company);
    head.scope = 'row'; head.textContent = model.about.companies[company]; row.append(head);
    cell(row, was === i ? `${i + 1}` : `${was + 1} → ${i + 1}`, was === i ? 'number' : 'number moved');
    cell(row, many(before[company].p50), 'number'); cell(row, many(now[company].p50), 'number').dataset.value = now[company].p50;
    cell(row, `${many(now[company].p05)} to ${many(now[company].p95)}`, 'number');
    return row;
  }));
  const text = Object.entries(set).map(([name, number]) => `${encodeURIComponent(name)}=${number}`).join('&');
  $('keep').href = `#whatif${text ? '&' : ''}${text}`;
  $('whatif-state').textContent = 'computing the verdicts';
  clearTimeout(timer);
  timer = setTimeout(() => {
    const found = Object.keys(set).length ? questions(model, set) : beforeAnswers;
    $('verdicts').tBodies[0].replaceChildren(...Object.entries(found).map(([id, q]) => {
      const row = document.createElement('tr'), head = document.createElement('th'), old = beforeAnswers[id];
      head.scope = 'row'; head.textContent = WORDS[id]; row.append(head); row.dataset.question = id;
      cell(row, signed(old.estimate), 'number'); cell(row, signed(q.estimate), 'number').dataset.value = q.estimate;
      cell(row, `${signed(q.estimate_p05)} to ${signed(q.estimate_p95)}`, 'number'); cell(row, two(q.p), 'number');
      cell(row, q.verdict === old.verdict ? plainWord(q.verdict) : `${plainWord(old.verdict)} → ${plainWord(q.verdict)}`, q.verdict === old.verdict ? '' : 'moved');
      return row;
    }));
    $('whatif-state').textContent = `Computed from ${model.n.toLocaleString('en')} draws in this page. Points per doubling.`;
  }, 120);
}

async function open() {
  $('open').disabled = true; $('whatif-state').textContent = 'loading the draws';
  const [about, buffer] = await Promise.all([fetch('whatif.json').then(r => r.json()), fetch('whatif.bin').then(r => r.arrayBuffer())]);
  model = read(about, buffer);
  shown = [...new Set(about.owned.filter(row => row.month === about.month && row.is_in_totals).map(row => row.company_id))];
  before = volumes(model, {}, shown); beforeAnswers = questions(model, {});
  const published = order({}), knobs = {};
  for (const k of about.knobs) {
    const moves = [k.p05, k.p95].some(x => order({[k.name]: x}) !== published);
    knobs[k.name] = knob(k.name, LABELS[k.name] ?? plainWord(k.name), k.p05, k.p95, k.distribution === 'lognormal', `${moves ? 'Can move a rank.' : 'Cannot move a rank between these ends.'} ${many(k.p05)} to ${many(k.p95)} ${k.unit}.`);
  }
  const own = [...new Set(about.entries.owner.filter(Boolean))];
  for (const row of about.owned.filter(r => r.month === about.month && r.is_in_totals && own.includes(r.company_id))) {
    const name = `access.${row.company_id}.${row.platform_id}`;
    knobs[name] = knob(name, `${about.companies[row.company_id]} may use of ${model.about.platforms[row.platform_id]}`, 0, 1, false, 'From none to all.');
  }
  for (const [name, number] of new URLSearchParams(location.hash.replace(/^#whatif&?/, ''))) if (knobs[name] && number !== '' && isFinite(number)) {
    const {input, output} = knobs[name];
    input.value = input.dataset.log ? Math.log(Number(number)) : number; input.dataset.set = number; output.textContent = many(Number(number)); input.closest('details')?.setAttribute('open', '');
  }
  $('panel').hidden = false; $('whatif-start').querySelector('button').hidden = true;
  change();
}
$('knobs').addEventListener('reset', () => setTimeout(() => { for (const input of $('knobs').querySelectorAll('input')) { delete input.dataset.set; input.value = (Number(input.min) + Number(input.max)) / 2; $('knobs').querySelector(`output[for="${CSS.escape(input.id)}"]`).textContent = 'as published'; } change(); }));
$('open').disabled = false; $('whatif-state').textContent = '1.1 MB of draws are loaded then.';
$('open').addEventListener('click', open);
if (location.hash.startsWith('#whatif&')) open();
window.moat = {read, volumes, questions, get model() { return model; }};
