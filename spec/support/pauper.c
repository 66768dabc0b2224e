/* A program that embeds Lua and does not always give it memory, for the specs:
 *
 *   pauper script.lua
 *
 * The script says when: budget(bytes) refuses what would take more than so many bytes beyond those
 * in use, luck(n) refuses one request in n, by chance; without a number both give all again.
 * refused() tells how often that was.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static size_t used, limit = SIZE_MAX, again;
static unsigned long long dice = 1;
static long luck, refusals;

static int is_refused(size_t total, size_t wanted)
{
	/* Lua collects its garbage and asks once more: that is the same request. */
	if (wanted == again) {
		again = 0;
		return 1;
	}
	dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
	if (luck && (dice >> 33) % luck == 0)
		again = wanted;
	return total > limit || again;
}

static void *allocate(void *data, void *block, size_t old, size_t wanted)
{
	size_t held = block ? old : 0;
	(void)data;
	if (wanted > held && is_refused(used - held + wanted, wanted)) {
		refusals++;
		return NULL;
	}
	used = used - held + wanted;
	if (wanted)
		return realloc(block, wanted);
	free(block);
	return NULL;
}

static int set_budget(lua_State *L)
{
	limit = lua_isnoneornil(L, 1) ? SIZE_MAX : used + (size_t)luaL_checkinteger(L, 1);
	return 0;
}

static int set_luck(lua_State *L)
{
	luck = (long)luaL_optinteger(L, 1, 0);
	again = 0;
	return 0;
}

static int get_refused(lua_State *L)
{
	lua_pushinteger(L, refusals);
	return 1;
}

int main(int argc, char **argv)
{
	lua_State *L = lua_newstate(allocate, NULL);
	if (!L || argc != 2)
		return 2;
	luaL_openlibs(L);
	lua_register(L, "budget", set_budget);
	lua_register(L, "luck", set_luck);
	lua_register(L, "refused", get_refused);
	if (luaL_dofile(L, argv[1])) {
		fprintf(stderr, "pauper: %s\n", lua_tostring(L, -1));
		return 1;
	}
	lua_close(L);
	return 0;
}
