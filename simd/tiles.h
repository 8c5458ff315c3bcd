/* tiles.h - which tiles (rows x panels) an instruction set has; the list itself is V16_TILES in its v16_*.h. */
#ifndef TFM_SIMD_TILES_H
#define TFM_SIMD_TILES_H

#include "simd/v16/v16.h"

enum { TILE_MAX = 32, TILE_PANELS_MAX = 8 }; /* accumulators and panels of a tile at most */

#define TILE_FITS(R, P) _Static_assert(R * P <= TILE_MAX, "a tile has more accumulators than there is room for");
V16_TILES(TILE_FITS)
#undef TILE_FITS

/* Panels of the widest tile with so many rows; 0: no such tile. */
static const uint8_t tile_widest[V16_TILE_ROWS + 1] = V16_WIDE;

/* Rows of the next tile when `left` > 0 are left. */
static inline size_t tile_rows(size_t left) {
    size_t r = left < V16_TILE_ROWS ? left : V16_TILE_ROWS;
    while (tile_widest[r] == 0) r--;
    return r;
}

/* Panels of the next tile of so many rows when `left` > 0 are left. */
static inline size_t tile_panels(size_t rows, size_t left) { return left >= tile_widest[rows] ? tile_widest[rows] : 1; }

#endif
