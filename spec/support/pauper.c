/* A program that embeds Lua and does not always give it memory, for the specs:
 *
 *   pauper script.lua
 *
 * The script says when: budget(bytes) refuses what would take more than so many bytes beyond those
 * in use, luck(n, seed) refuses one request in n, by chance, turn(n) the n-th from now; without a
 * number each gives all again. refused() tells how often that was. A script that returns true is run
 * again in a new state; the global `round` counts.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

/* From 5.5 on a state is given a seed for its hashes. */
#if LUA_VERSION_NUM >= 505
#define NEW_STATE(allocate) lua_newstate(allocate, NULL, 0)
#else
#define NEW_STATE(allocate) lua_newstate(allocate, NULL)
#endif

static size_t used, limit = SIZE_MAX, again;
static unsigned long long dice = 1;
static long luck, countdown, refusals;

static int is_refused(size_t total, size_t wanted)
{
	/* Lua collects its garbage and asks once more: that is the same request. */
	if (again && wanted == again) {
		again = 0;
		return 1;
	}
	dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
	if ((luck && (dice >> 33) % luck == 0) || (countdown && --countdown == 0)) {
		again = wanted;
		return 1;
	}
	return total > limit;
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
	dice = (unsigned long long)luaL_optinteger(L, 2, (lua_Integer)dice);
	again = 0;
	return 0;
}

static int set_turn(lua_State *L)
{
	countdown = (long)luaL_optinteger(L, 1, 0);
	again = 0;
	return 0;
}

static int get_refused(lua_State *L)
{
	lua_pushinteger(L, refusals);
	return 1;
}

static void turn_off(void)
{
	limit = SIZE_MAX;
	luck = countdown = 0;
	again = 0;
}

/* 1: once more, please; 0: all is done; -1: it failed. */
static int run(const char *script, lua_Integer round)
{
	int result = -1, status;
	lua_State *L = NEW_STATE(allocate);
	if (!L)
		return result;
	luaL_openlibs(L);
	lua_register(L, "budget", set_budget);
	lua_register(L, "luck", set_luck);
	lua_register(L, "turn", set_turn);
	lua_register(L, "refused", get_refused);
	lua_pushinteger(L, round);
	lua_setglobal(L, "round");
	status = luaL_loadfile(L, script);
	if (status == LUA_OK)
		status = lua_pcall(L, 0, 1, 0);
	if (status == LUA_OK)
		result = lua_toboolean(L, -1);
	else if (status == LUA_ERRMEM && refusals)
		result = 1; /* the script's own lack, this time */
	else
		fprintf(stderr, "pauper: %s\n", lua_tostring(L, -1));
	turn_off();
	lua_close(L);
	return result;
}

int main(int argc, char **argv)
{
	int again_please = argc == 2 ? 1 : -1;
	for (lua_Integer round = 1; again_please > 0; round++)
		again_please = run(argv[1], round);
	return -again_please;
}
