/* A program that embeds Lua, for the specs:
 *
 *   host run script.lua...    runs each file in a state of its own, one after the other
 *   host step script.lua      runs the file, then calls silly.step until nothing is pending
 *   host signals script.lua   as run, with handlers of its own, and says which it still has
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static int host_fork(lua_State *L)
{
	fflush(NULL);
	lua_pushinteger(L, fork());
	return 1;
}

static int host_waitpid(lua_State *L)
{
	int status = 0;
	waitpid((pid_t)luaL_checkinteger(L, 1), &status, 0);
	lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 1;
}

/* How many descriptors are open. */
static int host_descriptors(lua_State *L)
{
	int fd, count = 0;
	for (fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) != -1;
	lua_pushinteger(L, count);
	return 1;
}

static int host_default_pipe(lua_State *L)
{
	(void)L;
	signal(SIGPIPE, SIG_DFL);
	return 0;
}

static int host_leave(lua_State *L)
{
	fflush(NULL);
	_exit((int)luaL_checkinteger(L, 1));
}

static const int watched[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1 };
static const char *const names[] = { "SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1" };

static void on_signal(int number)
{
	(void)number;
}

static void handle_signals(void)
{
	size_t index;
	struct sigaction action;
	memset(&action, 0, sizeof action);
	action.sa_handler = on_signal;
	for (index = 0; index < sizeof watched / sizeof *watched; index++)
		sigaction(watched[index], &action, NULL);
}

/* The names of the signals that still have the host's handler, in one string. */
static int host_handles(lua_State *L)
{
	size_t index;
	luaL_Buffer buffer;
	luaL_buffinit(L, &buffer);
	for (index = 0; index < sizeof watched / sizeof *watched; index++) {
		struct sigaction action;
		sigaction(watched[index], NULL, &action);
		if (action.sa_handler == on_signal) {
			luaL_addstring(&buffer, names[index]);
			luaL_addstring(&buffer, " ");
		}
	}
	luaL_pushresult(&buffer);
	return 1;
}

static void say_handles(void)
{
	lua_State *L = luaL_newstate();
	host_handles(L);
	printf("host handles %s\n", lua_tostring(L, -1));
	lua_close(L);
}

static int complain(lua_State *L)
{
	fprintf(stderr, "host: %s\n", lua_tostring(L, -1));
	return 1;
}

static int step(lua_State *L)
{
	for (;;) {
		lua_getglobal(L, "require");
		lua_pushstring(L, "silly");
		if (lua_pcall(L, 1, 1, 0) != 0)
			return complain(L);
		lua_getfield(L, -1, "step");
		lua_pushinteger(L, 50);
		if (lua_pcall(L, 1, 1, 0) != 0)
			return complain(L);
		if (!lua_toboolean(L, -1))
			return 0;
		lua_settop(L, 0);
	}
}

int main(int argc, char **argv)
{
	int index;
	int signals = strcmp(argv[1], "signals") == 0;
	if (signals)
		handle_signals();
	for (index = 2; index < argc; index++) {
		lua_State *L = luaL_newstate();
		luaL_openlibs(L);
		lua_register(L, "fork", host_fork);
		lua_register(L, "waitpid", host_waitpid);
		lua_register(L, "leave", host_leave);
		lua_register(L, "descriptors", host_descriptors);
		lua_register(L, "handles", host_handles);
		lua_register(L, "default_pipe", host_default_pipe);
		if (luaL_dofile(L, argv[index]))
			return complain(L);
		if (strcmp(argv[1], "step") == 0 && step(L) != 0)
			return 1;
		lua_close(L);
		if (signals)
			say_handles();
	}
	puts("host: done");
	return 0;
}
