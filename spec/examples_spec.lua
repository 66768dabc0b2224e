--- The examples print what their own first comment says, under a plain interpreter and under the
--- launcher. `<word>` there stands for something that differs from run to run.

local core = require "silly.core"
local etcd = require "spec.support.etcd"
local libraries = require "spec.support.libraries"
local shell = require "spec.support.shell"

teardown(shell.clean)

local interpreter
do
	local first = 0
	while arg[first - 1] do
		first = first - 1
	end
	interpreter = arg[first]
end

--- An example that takes longer hangs.
local LIMIT = 20

local function with_paths(command)
	return ("LUA_PATH='lua/?.lua;;%s' LUA_CPATH='%s/?.so;;' %s"):format(libraries.PURE, shell.build, command)
end

--- The ways to start a script.
local STARTS = {
	["the interpreter"] = with_paths(interpreter .. " "),
	["bin/silly"] = ("LUA_PATH=';;%s' LUA='%s' bin/silly "):format(libraries.PURE, interpreter),
}

--- The library that an example needs, where that is not ours.
local NEEDS = {
	["codecs/json"] = "cjson", ["codecs/messagepack"] = "MessagePack", ["http_gateway/run"] = "http.server",
	["embedding/luv"] = "luv", ["embedding/cqueues"] = "cqueues",
}

--- A test of an example, pending where its library is not to be had.
local function test_of(example)
	return libraries.have(NEEDS[example]) and it or pending
end

--- What a file says that it prints: the lines behind "Prints:", as one pattern each.
local function promised(path)
	local patterns, reading = {}, false
	for line in io.lines(path) do
		if line == "-- Prints:" then
			reading = true
		elseif reading then
			local text = line:match("^%-%-   (.*)$")
			if not text then
				break
			end
			local pattern = text:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0"):gsub("<%a+>", "%%S+")
			patterns[#patterns + 1] = { text = text, pattern = "^" .. pattern .. "$" }
		end
	end
	assert(#patterns > 0, path .. " does not say what it prints")
	return patterns
end

local function start(how, path, arguments)
	-- Its pid first, so that it can be ended.
	local command = ("exec timeout -s KILL %d %s%s %s"):format(LIMIT, "env " .. how, path, arguments or "")
	local pipe = assert(io.popen(("echo $$; %s 2>&1 </dev/null"):format(command)))
	return pipe, assert(pipe:read("*l"))
end

local function rest(pipe, lines)
	for line in pipe:lines() do
		lines[#lines + 1] = line
	end
	pipe:close()
	return lines
end

local function compare(path, lines)
	local wanted = promised(path)
	for index = 1, math.max(#wanted, #lines) do
		local want, line = wanted[index], lines[index]
		if not (want and line and line:find(want.pattern)) then
			error(("%s, line %d: promised %s, printed %s; all of it:\n%s"):format(
				path, index, want and want.text or "nothing", line or "nothing", table.concat(lines, "\n")
			), 0)
		end
	end
end

describe("the example", function()
	for name, how in pairs(STARTS) do
		for _, example in ipairs {
			"push", "broadcast", "load_balance", "forwarding", "tracing", "trace_across/run", "shutdown", "workers", "tcp_echo",
			"codecs/json", "codecs/messagepack", "codecs/zproto", "chat/run",
		} do
			test_of(example)(example .. " prints what it says, under " .. name, function()
				local path = "examples/" .. example .. ".lua"
				compare(path, rest(start(how, path), {}))
			end)
		end

		it("request_response prints what it says, under " .. name, function()
			local server, client = "examples/request_response/server.lua", "examples/request_response/client.lua"
			local pipe, pid = start(how, server)
			local first = pipe:read("*l") or "nothing"
			local address = first:match("^listening on (.*)$")
			local lines = address and rest(start(how, client, address), {})
			-- The server is left by its client, and says so, before it is ended.
			local said = { first }
			while address and said[#said] ~= "a client has left" do
				said[#said + 1] = pipe:read("*l") or error("the server ended too early: " .. table.concat(said, "\n"))
			end
			os.execute("kill " .. pid)
			rest(pipe, said)
			compare(server, said)
			compare(client, lines)
		end)
	end

	-- Under the launcher there is a loop already.
	for _, host in ipairs { "embedding/engine_frame", "embedding/luv", "embedding/cqueues", "http_gateway/run" } do
		test_of(host)(host .. ", with a loop of its own, prints what it says", function()
			local path = "examples/" .. host .. ".lua"
			compare(path, rest(start(STARTS["the interpreter"], path), {}))
		end)
	end

	-- tools/specs-etcd has a library with etcd, though not where bin/silly looks for it.
	local test = core.discovery and etcd.directory and it or pending
	test("discovery/run prints what it says, with an etcd", function()
		local path = "examples/discovery/run.lua"
		local how = ("PATH='%s':\"$PATH\" "):format(etcd.directory) .. STARTS["the interpreter"]
		compare(path, rest(start(how, path), {}))
	end)

	it("demo shows both sides of request_response and ends by itself", function()
		local lines = rest(start("", "examples/demo", interpreter), {})
		local server, client = {}, {}
		for _, line in ipairs(lines) do
			local side, text = line:match("^%[(%l+)%] (.*)$")
			if side then
				table.insert(side == "server" and server or client, text)
			end
		end
		assert.truthy(lines[#lines]:find("^Shown: "), table.concat(lines, "\n"))
		compare("examples/request_response/server.lua", server)
		compare("examples/request_response/client.lua", client)
	end)
end)
