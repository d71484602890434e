// What offline work needs, fetched while there is a network: tasks, towers, checklists, areas and
// the earlier photos that a re-inspection is compared with.
import { ask, askJson } from "./service.js";
import { fact, keepFact } from "./store.js";

const PAGE = 2_000;
const PICTURE_BYTES = 25_000;
// Photos of towers that nobody has asked to visit are taken along up to this number.
const MOST_PICTURES = 400;
const AT_ONCE = 4;

// What is fetched by an address that has not changed since is not fetched again.
async function fresh(account, db, address) {
  const tags = await fact(db, "tags", {});
  const answer = await ask(account, address, { headers: tags[address] ? { "If-None-Match": tags[address] } : {} });
  if (answer.status === 304) return null;
  const found = await answer.json();
  const tag = answer.headers.get("ETag");
  return { found, keepTag: async () => { if (tag) await keepFact(db, "tags", { ...(await fact(db, "tags", {})), [address]: tag }); } };
}

// Tasks, settings and checklists: small, so they come whenever there is a network.
export async function fetchWork(account, db) {
  const got = await fresh(account, db, "/api/v1/field/work");
  if (got) {
    await keepFact(db, "work", got.found);
    await got.keepTag();
  }
  await keepFact(db, "work_at", Date.now());
  const work = await fact(db, "work");
  for (const version of work.checklist_versions) {
    if (await db.checklists.get(version)) continue;
    await db.checklists.put({ ...(await askJson(account, `/api/v1/field/checklists/${version}`)), version });
  }
  return work;
}

// How much there is to fetch, before anybody starts: towers, bytes.
export async function size(account, db) {
  const { total, bytes } = await askJson(account, "/api/v1/field/towers?limit=200");
  const pictures = (await picturesWanted(db)).length;
  return { towers: total, bytes: bytes + pictures * PICTURE_BYTES };
}

// Everything of the territory; `tell(done, total)` says how far it is.
export async function fetchTerritory(account, db, tell) {
  await fetchWork(account, db);
  const codes = new Set();
  const pages = await fact(db, "pages", {});
  let address = `/api/v1/field/towers?limit=${PAGE}`;
  while (address) {
    const got = await fresh(account, db, address);
    if (got) {
      const { items, next_cursor: next, total } = got.found;
      await db.towers.bulkPut(items);
      pages[address] = { codes: items.map((one) => one.code), next, total };
      await keepFact(db, "pages", pages);
      await got.keepTag();
    }
    const page = pages[address];
    for (const code of page.codes) codes.add(code);
    tell(codes.size, page.total);
    address = page.next ? `/api/v1/field/towers?limit=${PAGE}&cursor=${encodeURIComponent(page.next)}` : null;
  }
  const gone = (await db.towers.toCollection().primaryKeys()).filter((code) => !codes.has(code));
  await db.towers.bulkDelete(gone);
  await keepIndex(db);
  const areas = await fresh(account, db, "/api/v1/field/areas");
  if (areas) {
    await keepFact(db, "areas", areas.found);
    await areas.keepTag();
  }
  await fetchPictures(account, db);
  await keepFact(db, "territory_at", Date.now());
}

// Lists and the map read all towers at once: what they show stands together in one place.
export async function keepIndex(db) {
  const index = [];
  await db.towers.each(({ code, name, lat, lon, condition, commune, open, structure_type: type }) => {
    index.push([code, name, lat, lon, condition, commune, open?.length || 0, type]);
  });
  await keepFact(db, "index", index);
}

export async function indexOf(db) {
  const rows = await fact(db, "index", []);
  return rows.map(([code, name, latitude, longitude, condition, commune, open, type]) => ({ code, name, latitude, longitude, condition, commune, open, structure_type: type }));
}

async function picturesWanted(db) {
  const work = await fact(db, "work", { tasks: [] });
  const photosOf = (tower) => (tower?.open || []).flatMap((one) => one.earlier_photos || []);
  const wanted = (await db.towers.bulkGet([...new Set(work.tasks.map((one) => one.tower))])).flatMap(photosOf);
  await db.towers.filter((tower) => tower.open?.length > 0).each((tower) => {
    if (wanted.length < MOST_PICTURES) wanted.push(...photosOf(tower));
  });
  const kept = new Set(await db.pictures.toCollection().primaryKeys());
  return [...new Set(wanted)].filter((id) => !kept.has(id));
}

// Earlier photos of towers that are to be visited. One that does not come is no reason to stop.
async function fetchPictures(account, db) {
  const left = await picturesWanted(db);
  const one = async () => {
    for (let id = left.shift(); id; id = left.shift()) {
      try {
        const answer = await ask(account, `/api/v1/photos/${id}/thumbnail`);
        await db.pictures.put({ id, blob: await answer.blob() });
      } catch (error) {
        if (error.kind !== "refused") throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}
