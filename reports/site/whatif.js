// The what-if in the page: volumes and the two questions of volume, by the formulas of transforms/macros/*whatif*.sql and
// src/moat/link (mixed.py, effects.py, questions.py, rule.py). `make test-site` compares it with `datamoat whatif --json`.

// ---- linear algebra on small symmetric positive definite matrices: inverse and logarithm of the determinant
export function inverse(a) {
  const n = a.length, m = a.map((row, i) => Float64Array.from({length: 2 * n}, (_, j) => j < n ? row[j] : +(j - n === i)));
  let logdet = 0;
  for (let k = 0; k < n; k++) {
    const pivot = m[k][k];
    logdet += Math.log(pivot);
    for (let j = 0; j < 2 * n; j++) m[k][j] /= pivot;
    for (let i = 0; i < n; i++) if (i !== k && m[i][k]) {
      const f = m[i][k];
      for (let j = 0; j < 2 * n; j++) m[i][j] -= f * m[k][j];
    }
  }
  return {inv: m.map(row => row.subarray(n)), logdet};
}
const dot = (a, b) => { let s = 0; for (let i = 0; i < a.length; i++) s += a[i] * b[i]; return s; };
const times = (a, v) => a.map(row => dot(row, v));

// ---- generalised least squares at given standard deviations: V is block diagonal by company
function project(f, x, logSd) {
  const n = f.y.length, v = logSd.map(s => Math.exp(2 * s)), w = f.y.map(() => new Float64Array(n));
  let logdet = 0;
  for (const block of f.blocks) {
    const part = inverse(block.map(i => block.map(j => v[0] + (f.model[i] === f.model[j] ? v[1] : 0) + (i === j ? v[2 + f.board[i]] + f.se[i] ** 2 : 0))));
    logdet += part.logdet;
    block.forEach((i, a) => block.forEach((j, b) => { w[i][j] = part.inv[a][b]; }));
  }
  const k = x[0].length, wx = w.map((row, i) => { const out = new Float64Array(k); for (const j of f.blockOf[i]) for (let c = 0; c < k; c++) out[c] += row[j] * x[j][c]; return out; });
  const xwx = Array.from({length: k}, (_, a) => Float64Array.from({length: k}, (_, b) => { let s = 0; for (let i = 0; i < n; i++) s += x[i][a] * wx[i][b]; return s; }));
  const {inv: cov, logdet: logdetX} = inverse(xwx), half = wx.map(row => times(cov, row)); // W X cov, n x k
  const p = w; // P = W - W X cov X' W, in place
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) p[i][j] -= dot(half[i], wx[j]);
  const py = times(p, f.y);
  return {p, py, v, logSd, cov, half, criterion: 0.5 * (logdet + logdetX + dot(f.y, py))};
}
// sums of a vector by the groups of a component, and V_k times it
function grouped(labels, a) { const sums = {}; labels.forEach((g, i) => { if (g >= 0) sums[g] = (sums[g] || 0) + a[i]; }); return sums; }
const moved = (labels, a) => { const s = grouped(labels, a); return labels.map(g => g >= 0 ? s[g] : 0); };
const quadratic = (labels, a) => Object.values(grouped(labels, a)).reduce((s, x) => s + x * x, 0);
function gradient(f, at) {
  return f.components.map((labels, k) => {
    let trace = 0;
    for (let i = 0; i < labels.length; i++) if (labels[i] >= 0) for (let j = 0; j < labels.length; j++) if (labels[i] === labels[j]) trace += at.p[i][j];
    return at.v[k] * (trace - quadratic(labels, at.py));
  });
}
// a curvature that explains how the gradient turned on the last step (Broyden, Fletcher, Goldfarb, Shanno)
function withSecant(curvature, last, g) {
  if (!last) return curvature;
  const turned = g.map((x, k) => x - last.gradient[k]), along = times(curvature, last.moved), size = dot(last.moved, along), product = dot(last.moved, turned);
  return product <= 0.1 * size ? curvature : curvature.map((row, j) => row.map((x, k) => x - along[j] * along[k] / size + turned[j] * turned[k] / product));
}
const LOWEST = -2, HIGHEST = 7, CONVERGED = 3e-4, RIDGE = 1e-6, ROUNDING = 1e-8, SMALLEST = -0.999, LARGEST = 5;
const clip = (x, low, high) => Math.min(Math.max(x, low), high);
// Newton's steps of the standard deviations, in shares of each, as in moat.link.mixed; a step that makes the ratings less likely is halved
export function reml(f, x, start) {
  let at = project(f, x, start || f.components.map((_, k) => k < 2 ? 3.5 : 3.0)), last = null;
  for (let step = 0; step < 60; step++) {
    const g = gradient(f, at), free = g.map((d, k) => !((at.logSd[k] <= LOWEST && d > 0) || (at.logSd[k] >= HIGHEST && d < 0)));
    if (Math.max(...g.map((d, k) => free[k] ? Math.abs(d) / Math.min(at.v[k], 1) : 0)) < CONVERGED) return at;
    const m = f.components.map(labels => moved(labels, at.py)), pm = m.map(a => times(at.p, a));
    const whole = withSecant(m.map((a, j) => pm.map((b, k) => 2 * at.v[j] * at.v[k] * dot(a, b))), last, g);
    const inv = inverse(whole.map((row, j) => row.map((c, k) => (free[j] && free[k] ? c : 0) + (j !== k ? 0 : free[k] ? Math.max(g[k], -g[k] / LARGEST) + RIDGE : 1)))).inv;
    const slope = g.map((d, k) => free[k] ? d : 0), shares = inv.map(row => -dot(row, slope));
    let after = null;
    for (let halvings = 0; halvings < 20; halvings++) {
      const logSd = at.logSd.map((s, k) => clip(s + Math.log1p(clip(shares[k] / 2 ** halvings, SMALLEST, LARGEST)), LOWEST, HIGHEST));
      after = project(f, x, logSd);
      if (after.criterion <= at.criterion + ROUNDING) break;
      after = null;
    }
    if (!after) return at;
    last = {moved: after.logSd.map((s, k) => s - at.logSd[k]), gradient: g};
    at = after;
  }
  return at;
}
// Satterthwaite's degrees of freedom of the last coefficient (Giesbrecht and Burns 1985)
function degreesOfFreedom(f, at) {
  const last = at.cov.length - 1, column = at.half.map(row => row[last]), variance = at.cov[last][last];
  const free = f.components.map((_, k) => k).filter(k => at.logSd[k] > LOWEST + 0.01), slope = free.map(k => quadratic(f.components[k], column));
  const info = free.map(j => free.map(k => {
    const a = f.components[j], b = f.components[k], cells = new Map();
    for (let i = 0; i < a.length; i++) if (a[i] >= 0) for (let l = 0; l < b.length; l++) if (b[l] >= 0) { const key = a[i] * 1000 + b[l]; cells.set(key, (cells.get(key) || 0) + at.p[i][l]); }
    let s = 0; for (const c of cells.values()) s += c * c;
    return s / 2;
  }));
  const inv = inverse(info).inv;
  return 2 * variance ** 2 / slope.reduce((s, x, a) => s + x * dot(inv[a], slope), 0);
}
// ---- Student's t: quantile 0.95, from the incomplete beta function by its continued fraction
function logGamma(x) {
  const c = [76.18009172947146, -86.50532032941677, 24.01409824083091, -1.231739572450155, 0.1208650973866179e-2, -0.5395239384953e-5];
  let s = 1.000000000190015; c.forEach((a, i) => { s += a / (x + 1 + i); });
  return (x + 0.5) * Math.log(x + 5.5) - x - 5.5 + Math.log(2.5066282746310005 * s / x);
}
function upperTail(t, df) { // P(T > t) for t > 0
  const x = df / (df + t * t), a = df / 2, b = 0.5, front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x));
  const fraction = (x, a, b) => { // Lentz's method
    let c = 1, d = 1 / Math.max(1e-300, 1 - (a + b) * x / (a + 1)), h = d;
    for (let m = 1; m < 500; m++) {
      for (const n of [m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))]) { d = 1 / (1 + n * d); c = 1 + n / c; h *= c * d; }
      if (Math.abs(c * d - 1) < 1e-15) break;
    }
    return h;
  };
  return 0.5 * (x < (a + 1) / (a + b + 2) ? front * fraction(x, a, b) / a : 1 - front * fraction(1 - x, b, a) / b);
}
export function t95(df) { let low = 1.6, high = 7; for (let i = 0; i < 80; i++) { const mid = (low + high) / 2; if (upperTail(mid, df) > 0.05) low = mid; else high = mid; } return (low + high) / 2; }

// ---- what was published
export function read(about, buffer) {
  const n = about.n_draws, e = about.entries, value = new Map(), hours = new Map();
  about.assumptions.forEach(([name, scope], i) => value.set(`${name}|${scope}`, new Float64Array(buffer, 8 * n * i, n)));
  const start = 8 * n * about.assumptions.length;
  about.public_hours.forEach(([platform, month], i) => hours.set(`${platform}|${month}`, new Float32Array(buffer, start + 4 * n * i, n)));
  const key = e.company.map((c, i) => c * 1e4 + e.model[i]), boards = Math.max(...e.board) + 1, blocks = new Map();
  e.company.forEach((c, i) => blocks.set(c, [...(blocks.get(c) || []), i]));
  const codes = [...new Set(key)], model = key.map(k => codes.indexOf(k));
  const components = [e.company, model, ...Array.from({length: boards}, (_, b) => e.board.map((x, i) => x === b ? i : -1))];
  const field = {y: e.rating, se: e.se, board: e.board, model, components, base: e.base, blocks: [...blocks.values()], blockOf: e.company.map(c => blocks.get(c)), owner: e.owner, month: e.month};
  const reach = new Map(about.owned.map(row => [`${row.company_id}|${row.platform_id}`, []]));
  about.owned.forEach(row => { const list = reach.get(`${row.company_id}|${row.platform_id}`); if (!list.includes(row.scope)) list.push(row.scope); });
  const pools = new Map(about.pools.map(([company, month, known]) => [`${company}|${month}`, known]));
  return {about, n, value, hours, field, reach, pools};
}
// A setting is {name: number}; names are those of `datamoat whatif --set`. Returns the draws of (name, scope).
function assumed(model, set) {
  const byScope = new Map();
  for (const [name, number] of Object.entries(set)) { // a later setting replaces an earlier one of the same scope
    const scopes = name.startsWith('access.') ? model.reach.get(name.slice(7).replace('.', '|')) || [] : model.about.assumptions.filter(([n]) => n === name && n.startsWith('access_')).map(([, s]) => s);
    for (const scope of scopes) byScope.set(scope, number);
  }
  return (name, scope) => {
    if (name === 'access') {
      if (byScope.has(scope)) return () => byScope.get(scope);
      [name] = model.about.assumptions.find(([n, s]) => n.startsWith('access_') && s === scope);
    }
    if (name in set) return () => set[name];
    const draws = model.value.get(`${name}|${scope}`);
    return draws ? d => draws[d] : null;
  };
}
// Hours of a company after filtering in every draw, of all its platforms in totals or of short video alone.
function usable(model, find, company, month, isShort) {
  const dup = find('dup_share_hours', 'all'), kept = find('yield_hours_raw_to_pretrain', 'all'), american = find('tiktok_us_share', 'all');
  const scraped = find('scrape_hours', 'all'), licensed = model.value.has(`licensed_hours|${company}`) ? find('licensed_hours', company) : () => 0;
  const rows = model.about.owned.filter(row => row.company_id === company && row.month === month && (row.is_short || row.is_in_totals))
    .map(row => ({isTotal: row.is_in_totals, isCounted: isShort ? row.is_short : row.is_in_totals, part: row.owned_part, hours: model.hours.get(`${row.platform_id}|${row.month}`), reach: find('access', row.scope), ratio: find('yield_platform_ratio_log', row.platform_id)}));
  const pool = model.pools.get(`${company}|${month}`) || 0; // what a company states to have gathered is the least it can reach
  return Float64Array.from({length: model.n}, (_, d) => {
    const k = kept(d);
    let own = 0, raw = 0;
    for (const row of rows) {
      const reached = (row.part === 'without_us' ? 1 - american(d) : row.part === 'us_only' ? american(d) : 1) * row.hours[d] * row.reach(d);
      if (row.isTotal) raw += reached;
      if (row.isCounted) own += reached * Math.min(k * Math.exp(row.ratio(d)), 1);
    }
    return (own + Math.max(scraped(d) + licensed(d), pool - raw) * Math.min(k, 1)) * (1 - dup(d));
  });
}
export function quantile(values, q) { const s = Float64Array.from(values).sort(), at = q * (s.length - 1), i = Math.floor(at); return s[i] + (at - i) * ((s[i + 1] ?? s[i]) - s[i]); }
export function volumes(model, set, companies = Object.keys(model.about.companies)) {
  const find = assumed(model, set), out = {};
  for (const company of companies) { const v = usable(model, find, company, model.about.month, false); out[company] = {p05: quantile(v, 0.05), p50: quantile(v, 0.5), p95: quantile(v, 0.95)}; }
  return out;
}
// ---- the questions amount and short: Rubin's rules over draws weighted by likelihood, p by permuting owners
export function questions(model, set) {
  const f = model.field, find = assumed(model, set), n = model.n, pairs = model.about.known, at = new Map(pairs.map(([c, m], i) => [`${c}|${m}`, i]));
  const hours = pairs.map(([c, m]) => usable(model, find, c, m, false)), short = pairs.map(([c, m]) => usable(model, find, c, m, true));
  const logs = {amount: hours.map(h => h.map(Math.log2)), share: hours.map((h, i) => h.map((x, d) => Math.log2(short[i][d] / x)))};
  const entry = f.owner.map((owner, i) => owner ? at.get(`${owner}|${f.month[i]}`) : -1), owners = [...new Set(f.owner.filter(Boolean))].sort();
  const mean = v => { let s = 0; for (const x of v) s += x; return s / v.length; };
  const centre = v => { const means = v.map(mean), own = entry.filter(e => e >= 0); return mean(own.map(e => means[e])); };
  const centred = Object.fromEntries(Object.entries(logs).map(([k, v]) => { const c = centre(v); return [k, v.map(x => x.map(y => y - c))]; }));
  const path = v => owners.map(owner => { // mean over draws on the day of every entry: the newest month not after it, else the first known
    const known = pairs.map(([c, m], i) => [m, i, c]).filter(([, , c]) => c === owner).sort();
    return f.month.map(month => mean(v[(known.filter(([m]) => m <= month).pop() || known[0])[1]]));
  });
  const drawnAt = (fit, terms) => { // the last coefficient in each draw and the logarithm of the likelihood integrated over all
    const base = project(f, f.base, fit.logSd), score = new Float64Array(pairs.length), cross = pairs.map(() => new Float64Array(pairs.length)), k = terms.length;
    entry.forEach((a, i) => { if (a >= 0) { score[a] += base.py[i]; entry.forEach((b, j) => { if (b >= 0) cross[a][b] += base.p[i][j]; }); } });
    const drawn = Array.from({length: n}, (_, d) => {
      const u = terms.map(t => t.map(v => v[d])), left = u.map(v => times(cross, v)), {inv, logdet} = inverse(u.map(a => left.map(b => dot(a, b))));
      const s = u.map(a => dot(a, score)), beta = times(inv, s);
      return {centre: beta[k - 1], variance: inv[k - 1][k - 1], mass: 0.5 * (dot(beta, s) - logdet)};
    });
    const top = Math.max(...drawn.map(r => r.mass)), raw = drawn.map(r => Math.exp(r.mass - top)), total = raw.reduce((a, b) => a + b);
    return {drawn, weights: raw.map(x => x / total)};
  };
  const ask = (terms, tested) => {
    const design = values => f.base.map((row, i) => [...row, ...values.map(a => entry[i] < 0 ? 0 : a[entry[i]])]);
    const averages = terms.map(t => t.map(mean)), first = reml(f, design(averages)), {weights} = drawnAt(first, terms);
    const fit = reml(f, design(terms.map(t => t.map(v => dot(weights, v)))), first.logSd), found = drawnAt(fit, terms);
    const {estimate, low, high} = integrated(found.drawn, found.weights, t95(degreesOfFreedom(f, fit)));
    const p = permuted(f, reml(f, f.base, fit.logSd), terms.length > 1 ? averages[0] : null, entry, owners, path(tested));
    return {estimate, estimate_p05: low, estimate_p95: high, p, verdict: low > 0 && p < 0.05 ? 'supported' : high < 20 ? 'not_supported' : 'cannot_tell'};
  };
  return {amount: ask([centred.amount], centred.amount), short: ask([centred.amount, centred.share], centred.share)};
}
// The likelihood of the coefficient is its mean over draws, a sum of normal densities: its highest point, and where it is t^2 / 2 lower.
function integrated(drawn, weights, t) {
  const heights = drawn.map(r => r.mass - 0.5 * Math.log(r.variance)), top = Math.max(...heights), parts = drawn.map((r, i) => [heights[i] - top, 1 / r.variance, r.centre]).filter(([h]) => h > -40);
  const log = x => Math.log(parts.reduce((s, [h, precision, centre]) => s + Math.exp(h - 0.5 * precision * (x - centre) ** 2), 0));
  const average = drawn.reduce((s, r, i) => s + weights[i] * r.centre, 0), step = Math.sqrt(drawn.reduce((s, r, i) => s + weights[i] * (r.variance + (r.centre - average) ** 2), 0));
  const grid = Array.from({length: 25}, (_, i) => average + step * (i / 4 - 3)), best = grid.reduce((a, b) => log(b) > log(a) ? b : a);
  const slope = x => parts.reduce((s, [h, precision, centre]) => s + Math.exp(h - 0.5 * precision * (x - centre) ** 2) * precision * (centre - x), 0);
  const root = (value, a, b) => { for (let i = 0, sign = value(a) > 0; i < 100; i++) { const mid = (a + b) / 2; if ((value(mid) > 0) === sign) a = mid; else b = mid; } return (a + b) / 2; };
  const estimate = root(slope, best - step / 4, best + step / 4), limit = log(estimate) - 0.5 * t ** 2;
  const [low, high] = [-1, 1].map(side => { let near = estimate, far = estimate + side * 2 * step; while (log(far) > limit) { near = far; far += side * 2 * step; } return root(x => log(x) - limit, near, far); });
  return {estimate, low, high};
}
function permuted(f, fitted, beside, entry, owners, paths) {
  const at = beside ? project(f, f.base.map((row, i) => [...row, entry[i] < 0 ? 0 : beside[entry[i]]]), fitted.logSd) : fitted;
  const k = owners.length, n = f.y.length, columns = [];
  for (let a = 0; a < k; a++) for (let b = 0; b < k; b++) columns.push(Float64Array.from({length: n}, (_, i) => f.owner[i] === owners[a] ? paths[b][i] : 0));
  const score = columns.map(c => dot(c, at.py)), left = columns.map(c => times(at.p, c)), spread = columns.map(c => left.map(l => dot(c, l)));
  const statistic = order => { let s = 0, v = 0; for (let a = 0; a < k; a++) { s += score[a * k + order[a]]; for (let b = 0; b < k; b++) v += spread[a * k + order[a]][b * k + order[b]]; } return Math.abs(s) / Math.sqrt(Math.max(v, 1e-10)); };
  const observed = statistic([...Array(k).keys()]);
  let reached = 0, tried = 0;
  const visit = (order, left) => { if (!left.length) { tried++; if (statistic(order) >= observed - 1e-9) reached++; } else left.forEach((x, i) => visit([...order, x], left.filter((_, j) => j !== i))); };
  visit([], [...Array(k).keys()]);
  return reached / tried;
}
