--- Runs specs where busted cannot be loaded, as with Lua 5.5, for which there are neither its native
--- modules nor a Penlight that compiles. It reads the same files, takes .busted's settings and prints
--- the same summary.
--
-- usage: LUA tools/runner/run.lua [OPTION...] [FILE|DIRECTORY...]
--
--   --filter=PATTERN, --filter-out=PATTERN   only the tests, or none of the tests, with such a full name
--   --cpath=PATH                             in place of that of .busted
--   --output=..., --lua=..., --ignore-lua    nothing: there is one output, and one Lua
--
-- Every failure and every error, in a test or beside one, makes the status 1.

local here = arg[0]:match("^(.*)/tools/runner/run%.lua$") or "."
package.path = here .. "/?.lua;" .. package.path

-- The library leaves the loop to a script that has loaded one of these.
package.loaded["busted.runner"] = true

--- Where Debian has luassert; it is Lua alone, and the same for all versions.
local PURE = "/usr/share/lua/5.4/?.lua;/usr/share/lua/5.4/?/init.lua"

local function fail(problem)
	io.stderr:write("tools/runner: ", problem, "\n")
	os.exit(1)
end

local options, paths = {}, {}
for _, argument in ipairs(arg) do
	local name, value = argument:match("^%-%-([%a-]+)=(.*)$")
	if name == "filter" or name == "filter-out" or name == "cpath" then
		options[name] = value
	elseif not (name == "output" or name == "lua" or argument == "--ignore-lua") then
		if argument:find("^%-") then
			fail("there is no option " .. argument)
		end
		paths[#paths + 1] = argument
	end
end

local settings = {}
do
	local file = io.open(".busted")
	if file then
		file:close()
		settings = dofile(".busted").default
	end
end
paths = #paths > 0 and paths or settings.ROOT or { "spec" }
package.path = (settings.lpath or "") .. ";" .. package.path
package.cpath = (options.cpath or settings.cpath or "") .. ";" .. package.cpath

--- The files in the order of their names.
local function files_of(path)
	local pipe = assert(io.popen(("find '%s' -type f \\( -name '*_spec.lua' -o -path '%s' \\) | sort"):format(path, path)))
	local files = {}
	for file in pipe:lines() do
		files[#files + 1] = file
	end
	pipe:close()
	return files
end

do
	local own = package.path
	package.path = own .. ";" .. PURE
	local luassert = require "luassert"
	for global, module in pairs { spy = "spy", stub = "stub", mock = "mock", match = "match" } do
		_G[global] = require("luassert." .. module)
	end
	package.path = own
	require("tools.runner.failure").mark(luassert)
	_G.assert = luassert
end

local report = require "tools.runner.report"
local suite = require "tools.runner.suite"

if settings.helper then
	dofile(settings.helper)
end

local function is_wanted(name)
	return (not options.filter or name:find(options.filter) ~= nil)
		and not (options["filter-out"] and name:find(options["filter-out"]))
end

for _, path in ipairs(paths) do
	local files = files_of(path)
	if #files == 0 then
		fail("there are no specs in " .. path)
	end
	for _, file in ipairs(files) do
		suite.run(file, is_wanted)
	end
end
os.exit(report.finish(), true)
