/* A C module whose function yields, as those of libraries with a scheduler of their own do:
 *
 *   yielder.pause(...)    yields its arguments and returns what it is resumed with
 */
#include <lauxlib.h>
#include <lua.h>

static int pause_here(lua_State *L)
{
	return lua_yield(L, lua_gettop(L));
}

int luaopen_yielder(lua_State *L)
{
	lua_newtable(L);
	lua_pushcfunction(L, pause_here);
	lua_setfield(L, -2, "pause");
	return 1;
}
