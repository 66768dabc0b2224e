--- Lua programs in processes of their own, with the library of this checkout.

local raw = require "spec.support.raw"
local shell = require "spec.support.shell"

local process = {}

local function line_of(command)
	local pipe = assert(io.popen(command))
	local line = pipe:read("*l")
	pipe:close()
	return line
end

local root, interpreter = shell.root, shell.lua

--- A program that hangs is not to outlive its test, by much: seconds.
local LIMIT = 15
local PRELUDE = [[require("silly.time").after(%d, function() os.exit(99) end);]]

local function contents(path)
	local file = io.open(path, "rb")
	local text = file and file:read("*a") or ""
	if file then
		file:close()
	end
	return text
end

local function prepare(script)
	local base = os.tmpname()
	local file = assert(io.open(base, "wb"))
	file:write(script)
	file:close()
	local environment = "unset LUA_INIT LUA_INIT_5_2 LUA_INIT_5_3 LUA_INIT_5_4 LUA_PATH_5_2 LUA_PATH_5_3 "
		.. "LUA_PATH_5_4 LUA_CPATH_5_2 LUA_CPATH_5_3 LUA_CPATH_5_4; "
		.. ("export LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;%s/?.lua;;' "):format(root, root, root)
		.. ("LUA_CPATH='%s/?.so;;'; "):format(shell.build)
	return base, environment
end

--- Runs a program to its end, at most 20 seconds: what it wrote to stdout and stderr, its status.
function process.run(script, ...)
	local base, environment = prepare(script)
	local command = environment .. "timeout -s KILL 20 " .. interpreter .. " " .. base
	for _, argument in ipairs({ ... }) do
		command = command .. " '" .. argument .. "'"
	end
	local pipe = assert(io.popen(command .. " 2>" .. base .. ".err </dev/null; echo \"status $?\""))
	local text = pipe:read("*a")
	pipe:close()
	local out, status = text:match("^(.*)status (%d+)\n$")
	local err = contents(base .. ".err")
	os.remove(base)
	os.remove(base .. ".err")
	return out, err, tonumber(status)
end

local Child = {}
Child.__index = Child
local children = {}

--- Starts a program beside this one.
---@param options? {seconds: integer?, descriptors: integer?} when it ends at the latest; how many files
---  it may have open
function process.start(script, options)
	options = options or {}
	local base, environment = prepare(PRELUDE:format((options.seconds or LIMIT) * 1000) .. script)
	if options.descriptors then
		environment = environment .. ("ulimit -n %d; "):format(options.descriptors)
	end
	local pid = line_of(environment .. ("sh -c 'echo $$; exec %s %s >%s.out 2>%s.err </dev/null' & "):format(
		interpreter, base, base, base
	))
	local child = setmetatable({ pid = assert(tonumber(pid)), base = base }, Child)
	children[#children + 1] = child
	return child
end

--- What a pattern catches in what the program has written, once it is there.
function Child:output(pattern, limit)
	local found = raw.poll(function()
		return contents(self.base .. ".out"):match(pattern)
	end, limit)
	if not found then
		error("the program wrote no " .. pattern .. ": " .. contents(self.base .. ".err"), 2)
	end
	return found
end

--- What it has written to stderr so far.
function Child:errors()
	return contents(self.base .. ".err")
end

--- Sends a signal by its name, without SIG.
function Child:signal(name)
	os.execute("kill -" .. name .. " " .. self.pid .. " 2>/dev/null")
end

function Child:kill()
	if self.pid then
		self:signal("KILL")
		self.pid = nil
		os.remove(self.base)
		os.remove(self.base .. ".out")
		os.remove(self.base .. ".err")
	end
end

--- Ends what a test has left running.
function process.kill_all()
	for _, child in ipairs(children) do
		child:kill()
	end
	children = {}
end

return process
