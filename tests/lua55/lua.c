/* The interpreter of Lua 5.5 that the tests run with: the command line of the standard `lua`, but for
 * -W and what a terminal can do.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#define LINE 512

static const char *name = "lua";
static lua_State *interrupted;

static void usage(const char *option)
{
	fprintf(stderr, "%s: unrecognized option '%s'\n"
		"usage: %s [-e stat] [-i] [-l [name=]module] [-v] [-E] [-] [--] [script [args]]\n",
		name, option, name);
}

/* Writes what went wrong; true when nothing did. */
static int report(lua_State *L, int status)
{
	if (status != LUA_OK) {
		const char *message = lua_tostring(L, -1);
		fprintf(stderr, "%s: %s\n", name, message ? message : "(error message not a string)");
		lua_pop(L, 1);
	}
	return status == LUA_OK;
}

/* Makes a text with a traceback of whatever was raised. */
static int explain(lua_State *L)
{
	const char *message = lua_tostring(L, 1);
	if (!message) {
		if (luaL_callmeta(L, 1, "__tostring") && lua_type(L, -1) == LUA_TSTRING)
			return 1;
		message = lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
	}
	luaL_traceback(L, L, message, 1);
	return 1;
}

static void stop(lua_State *L, lua_Debug *event)
{
	(void)event;
	lua_sethook(L, NULL, 0, 0);
	luaL_error(L, "interrupted!");
}

static void on_interrupt(int number)
{
	signal(number, SIG_DFL); /* a second one ends the process */
	lua_sethook(interrupted, stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

/* Calls what is below its arguments, as main chunks are called. */
static int call(lua_State *L, int arguments, int results)
{
	int status, base = lua_gettop(L) - arguments;
	lua_pushcfunction(L, explain);
	lua_insert(L, base);
	interrupted = L;
	signal(SIGINT, on_interrupt);
	status = lua_pcall(L, arguments, results, base);
	signal(SIGINT, SIG_DFL);
	lua_remove(L, base);
	return status;
}

static int run_string(lua_State *L, const char *text, const char *chunk)
{
	int status = luaL_loadbuffer(L, text, strlen(text), chunk);
	return report(L, status == LUA_OK ? call(L, 0, 0) : status);
}

static int run_file(lua_State *L, const char *path, int arguments)
{
	int status = luaL_loadfile(L, path);
	if (status == LUA_OK) {
		lua_insert(L, -arguments - 1);
		status = call(L, arguments, 0);
	}
	return report(L, status);
}

/* LUA_INIT, with the version or without: Lua, or a file's name behind @. */
static int run_init(lua_State *L)
{
	const char *variable = "LUA_INIT_5_5", *text = getenv(variable);
	if (!text)
		text = getenv(variable = "LUA_INIT");
	if (!text)
		return 1;
	return *text == '@' ? run_file(L, text + 1, 0) : run_string(L, text, variable);
}

/* -l module, or -l name=module: a global of that name. */
static int run_library(lua_State *L, const char *argument)
{
	const char *module = strchr(argument, '=');
	int status;
	lua_pushlstring(L, argument, module ? (size_t)(module - argument) : strlen(argument));
	lua_getglobal(L, "require");
	lua_pushstring(L, module ? module + 1 : argument);
	status = call(L, 1, 1);
	if (status == LUA_OK) {
		lua_pushglobaltable(L);
		lua_rotate(L, -3, 1);
		lua_settable(L, -3);
		lua_pop(L, 1);
	} else {
		lua_remove(L, -2);
	}
	return report(L, status);
}

/* Runs each line by itself; the values of an expression are printed. */
static void run_prompt(lua_State *L)
{
	char line[LINE];
	for (;;) {
		int base = lua_gettop(L), status;
		fputs("> ", stdout);
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			break;
		lua_pushfstring(L, "return %s", line);
		status = luaL_loadbuffer(L, lua_tostring(L, -1), lua_rawlen(L, -1), "=stdin");
		if (status != LUA_OK) {
			lua_settop(L, base);
			status = luaL_loadbuffer(L, line, strlen(line), "=stdin");
		} else {
			lua_remove(L, -2);
		}
		if (status == LUA_OK)
			status = call(L, 0, LUA_MULTRET);
		if (status == LUA_OK && lua_gettop(L) > base) {
			lua_getglobal(L, "print");
			lua_insert(L, base + 1);
			status = lua_pcall(L, lua_gettop(L) - base - 1, 0, 0);
		}
		report(L, status);
	}
	putchar('\n');
}

/* The table `arg`: the script is at 0, what comes before it below that. */
static void set_arguments(lua_State *L, int argc, char **argv, int script)
{
	int index;
	if (script == argc)
		script = 0; /* without a script the interpreter itself */
	lua_createtable(L, argc - script, script + 1);
	for (index = 0; index < argc; index++) {
		lua_pushstring(L, argv[index]);
		lua_rawseti(L, -2, index - script);
	}
	lua_setglobal(L, "arg");
}

/* What the options ask for, and where the script's name is. */
struct options {
	int script, clean, version, prompt, commands;
};

/* Reads them without doing anything; false where one is none. */
static int read_options(int argc, char **argv, struct options *options)
{
	int index;
	for (index = 1; index < argc && argv[index][0] == '-' && argv[index][1]; index++) {
		const char *option = argv[index];
		if (strcmp(option, "--") == 0) {
			index++;
			break;
		} else if (option[1] == 'e' || option[1] == 'l') {
			options->commands |= option[1] == 'e';
			if (!option[2] && ++index == argc) {
				usage(option);
				return 0;
			}
		} else if (option[2] || !strchr("Eiv", option[1])) {
			usage(option);
			return 0;
		}
		options->clean |= option[1] == 'E';
		options->prompt |= option[1] == 'i';
		options->version |= option[1] == 'v' || option[1] == 'i';
	}
	options->script = index;
	return 1;
}

/* Does what -e and -l say, in their order. */
static int run_options(lua_State *L, char **argv, int script)
{
	int index, fine = 1;
	for (index = 1; fine && index < script; index++) {
		char option = argv[index][1];
		if (option == 'e' || option == 'l') {
			const char *argument = argv[index][2] ? argv[index] + 2 : argv[++index];
			fine = option == 'e' ? run_string(L, argument, "=(command line)") : run_library(L, argument);
		}
	}
	return fine;
}

static int run_script(lua_State *L, char **argv, int argc, int script)
{
	int index;
	/* A "--" before it makes a file of what looks like standard input. */
	int is_stdin = strcmp(argv[script], "-") == 0 && strcmp(argv[script - 1], "--") != 0;
	luaL_checkstack(L, argc - script, "too many arguments");
	for (index = script + 1; index < argc; index++)
		lua_pushstring(L, argv[index]);
	return run_file(L, is_stdin ? NULL : argv[script], argc - script - 1);
}

static int run(lua_State *L)
{
	int argc = (int)lua_tointeger(L, 1), script;
	char **argv = lua_touserdata(L, 2);
	struct options options = { 0 };
	if (!read_options(argc, argv, &options))
		return 0;
	script = options.script;
	if (options.version)
		puts(LUA_COPYRIGHT);
	if (options.clean) {
		lua_pushboolean(L, 1);
		lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
	}
	luaL_openlibs(L);
	set_arguments(L, argc, argv, script);
	lua_gc(L, LUA_GCRESTART);
	lua_gc(L, LUA_GCGEN);
	if (!(options.clean || run_init(L)) || !run_options(L, argv, script))
		return 0;
	if (script < argc && !run_script(L, argv, argc, script) && !options.prompt)
		return 0;
	if (options.prompt) {
		run_prompt(L);
	} else if (script == argc && !options.commands && !options.version) {
		if (isatty(STDIN_FILENO))
			run_prompt(L);
		else if (!run_file(L, NULL, 0))
			return 0;
	}
	lua_pushboolean(L, 1);
	return 1;
}

int main(int argc, char **argv)
{
	int fine;
	lua_State *L = luaL_newstate();
	if (!L) {
		fprintf(stderr, "%s: no memory for a state\n", name);
		return EXIT_FAILURE;
	}
	if (argc > 0)
		name = argv[0];
	lua_gc(L, LUA_GCSTOP); /* until all libraries are there */
	lua_pushcfunction(L, run);
	lua_pushinteger(L, argc);
	lua_pushlightuserdata(L, argv);
	fine = report(L, lua_pcall(L, 2, 1, 0)) && lua_toboolean(L, -1);
	lua_close(L);
	return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
