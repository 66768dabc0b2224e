--- Scripts run in processes of their own, as somebody would from a shell.

local process = {}

local function capture(command)
	local pipe = assert(io.popen(command))
	local text = pipe:read("*a")
	pipe:close()
	return text
end

local root = capture("pwd"):gsub("\n$", "")

--- The interpreter that runs the specs.
local function interpreter()
	local index = 0
	while arg and arg[index - 1] do
		index = index - 1
	end
	return index < 0 and arg[index] or "lua"
end

process.root = root

--- Where the library is that the specs run with: build/, or another directory for one with more features.
process.build = root .. "/" .. (os.getenv "SILLY_BUILD" or "build")
process.lua = interpreter()

--- A directory for this run's files; `process.clean` removes it.
process.dir = capture("mktemp -d"):gsub("\n$", "")

function process.clean()
	os.execute("rm -rf '" .. process.dir .. "'")
end

--- Writes a file into the directory.
function process.write(name, text)
	local file = assert(io.open(process.dir .. "/" .. name, "w"))
	file:write(text)
	file:close()
end

--- What a file of the directory holds.
local function read(name)
	local file = assert(io.open(process.dir .. "/" .. name))
	local text = file:read("*a")
	file:close()
	return text
end

process.read = read

--- What every child gets: our modules, and SIGINT as a shell's foreground job has it.
local function environment(extra)
	return ("cd '%s' && exec env --default-signal=INT -u LUA_INIT -u LUA_PATH_5_4 -u LUA_CPATH_5_4 "
		.. "LUA_PATH='%s/lua/?.lua;./?.lua;;' LUA_CPATH='%s/?.so;;' %s "):format(
		process.dir, root, process.build, extra or "")
end

--- Runs a shell command to its end, which comes after 10 seconds at the latest, or after `limit`.
---@return {status: integer, out: string, err: string}
function process.command(command, stdin, env, limit)
	process.write("stdin", stdin or "")
	local line = ("( %s timeout -s KILL %d %s ) <'%s/stdin' >'%s/out' 2>'%s/err'; echo $?"):format(
		environment(env), limit or 10, command, process.dir, process.dir, process.dir)
	local status = tonumber(capture(line))
	return { status = status, out = read("out"), err = read("err") }
end

--- Runs a script the usual way: `lua script.lua arguments`.
function process.script(text, arguments)
	process.write("script.lua", text)
	return process.command(process.lua .. " script.lua " .. (arguments or ""))
end

--- Our launcher, to be given a script.
process.launcher = ("%s '%s/lua/silly/launcher.lua'"):format(process.lua, root)

--- Runs what follows it under valgrind: status 99 for a mistake with memory.
process.valgrind = ("'%s/tools/valgrind'"):format(root)

--- Starts a script and returns while it runs.
---@param options? {command: string?, stderr: string?} what runs it, and where its stderr goes
function process.start(text, options)
	options = options or {}
	process.write("script.lua", text)
	local pipe = assert(io.popen(("echo $$; %s %s script.lua 2>'%s'"):format(
		environment(), options.command or process.lua, options.stderr or process.dir .. "/err")))
	local child = { pid = assert(tonumber(pipe:read("*l"))) }
	function child.read(count)
		return pipe:read(count or "*l")
	end
	function child.kill(signal)
		os.execute("kill -" .. signal .. " " .. child.pid)
	end
	--- Waits for its end; what it still wrote, what ended it and what it said on stderr.
	function child.wait()
		local out = pipe:read("*a")
		local _, how, number = pipe:close()
		return { out = out, how = how, number = number, err = read("err") }
	end
	return child
end

--- The options of the C compiler for the headers of the Lua that runs the specs, and for its library:
--- those of the system, or those beside the interpreter that tools/lua5.5 has built.
local function lua_options()
	local prefix = process.lua:match("^(.*/build/lua5%.5)/bin/")
	if prefix then
		return ("-I'%s/include'"):format(prefix), ("-L'%s/lib' -llua5.5 -lm -ldl"):format(prefix)
	elseif rawget(_G, "jit") then
		return "-I/usr/include/luajit-2.1", "-lluajit-5.1"
	end
	local version = _VERSION:match("%d.%d")
	return "-I/usr/include/lua" .. version, "-llua" .. version
end

local HEADERS, LIBRARY = lua_options()

--- Compiles C code of spec/support for the Lua that runs the specs; the file's path, or nil and what
--- the compiler said where that cannot be done.
local function compile(source, name, options)
	local path = process.dir .. "/" .. name
	local output = capture(("cc -o '%s' '%s/spec/support/%s' %s %s 2>&1; echo $?"):format(
		path, root, source, HEADERS, options))
	return output:match("0\n$") and path or nil, output
end

--- A C program that embeds Lua.
---@param name string? of spec/support/NAME.c; "host" by default
function process.host(name)
	name = name or "host"
	return compile(name .. ".c", name, "-g -pthread -Wl,-E " .. LIBRARY)
end

--- The C module that yields, where scripts of this directory can require it.
function process.yielder()
	return compile("yielder.c", "yielder.so", "-shared -fPIC")
end

return process
