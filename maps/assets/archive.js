// Pictures out of an archive: a part of the file for each, none of it more than is looked at.
import { leafletRasterLayer, PMTiles } from "pmtiles";

export async function pictures(address) {
  const archive = new PMTiles(address);
  const { minZoom, maxZoom, minLon, minLat, maxLon, maxLat } = await archive.getHeader();
  return leafletRasterLayer(archive, {
    minZoom, maxNativeZoom: maxZoom, maxZoom: 24, noWrap: true, bounds: [[minLat, minLon], [maxLat, maxLon]],
  });
}
