/**
 * Lighthouse's verdict on some pages, as it sees a phone: one line of JSON for each.
 *
 * usage: node measure.mjs CHROME'S_PORT URL…
 */

import lighthouse from "lighthouse";

const [port, ...urls] = process.argv.slice(2);
for (const url of urls) {
  const { lhr } = await lighthouse(url, { port: Number(port), output: "json", logLevel: "error" });
  const { categories, audits } = lhr;
  const scores = Object.values(categories).map(({ id, score }) => [id, Math.round(score * 100)]);
  const failed = Object.values(categories).flatMap(({ auditRefs }) =>
    auditRefs.filter(({ id, weight }) => weight && (audits[id].score ?? 1) < 0.9).map(({ id }) => id),
  );
  const figures = { shift: audits["cumulative-layout-shift"], paint: audits["largest-contentful-paint"] };
  const [shift, paint] = Object.values(figures).map(({ numericValue }) => numericValue);
  console.log(JSON.stringify({ scores: Object.fromEntries(scores), shift, paint, failed }));
}
