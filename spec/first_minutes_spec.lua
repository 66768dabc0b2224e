--- The mistakes of the first minutes: each is told with what to do instead.

local shell = require "spec.support.shell"

--- A server and a handle of it in one process; `changed` replaces options of serve.
local HEAD = [[
local silly, task, logger = require "silly", require "silly.task", require "silly.logger"
local cluster = require "silly.net.cluster"
local function serve(changed)
	local conf = {
		marshal = function(_, cmd, body) return cmd, body end,
		unmarshal = function(_, _, data) return data end,
		call = function(_, _, body) return body end,
		timeout = 300,
	}
	for option, value in pairs(changed) do conf[option] = value end
	cluster.serve(conf)
end
local function ask()
	local peer = cluster.connect(assert(cluster.listen("127.0.0.1:0")).addr)
	print(cluster.call(peer, 1, "x"))
	silly.exit(0)
end
]]

--- Runs a script: what it said, on both streams, with the status.
local function run(text)
	local result = shell.script(HEAD .. text)
	return result.out .. result.err, result.status
end

local function says(wanted, text)
	assert.truthy(text:find(wanted, 1, true), text)
end

--- The interpreters of this machine whose library cannot be this one's. Those of 5.1 and LuaJIT may.
local function other_luas()
	local names = {}
	for _, name in ipairs { "lua5.1", "lua5.2", "lua5.3", "lua5.4", "lua5.5", "luajit" } do
		local result = shell.command(name .. " -e 'print(_VERSION)'")
		if result.status == 0 and result.out ~= _VERSION .. "\n" then
			names[#names + 1] = name
		end
	end
	return names
end

teardown(shell.clean)

describe("a first script", function()
	it("that calls outside a task is told to fork one", function()
		local text, status = run("serve {}\ncluster.call({ addr = '127.0.0.1:1' }, 1, 'x')")
		says("script.lua:19: cluster.call must run in a task: wrap it in task.fork(function() ... end)", text)
		assert.equal(1, status)
		says("cluster.connect must run in a task: wrap it in task.fork(", (run("serve {}\nask()")))
	end)

	local others = other_luas()
	local described = #others > 0 and it or pending

	for _, module in ipairs({ "silly", "silly.net.cluster", "silly.errno", "silly.sync.mutex", "zproto" }) do
		described("that another Lua runs is told how to build for that: " .. module, function()
			shell.write("script.lua", ("require '%s'"):format(module))
			for _, other in ipairs(others) do
				local result = shell.command(other .. " script.lua")
				assert.equal(1, result.status, other)
				says("silly: the native library was built for another Lua, not for this ", result.err)
				says(": make build LUA=" .. other .. "\n", result.err)
			end
		end)
	end

	described("under the launcher of another Lua is told so without a traceback", function()
		for _, other in ipairs(others) do
			local result = shell.command(("%s '%s/lua/silly/launcher.lua' script.lua"):format(other, shell.root))
			assert.equal(1, result.status, other)
			says("make build LUA=" .. other .. "\n", result.err)
			assert.is_nil(result.err:find("traceback", 1, true))
		end
	end)

	it("without the library is told to build it, and where it was looked for", function()
		shell.write("script.lua", "package.cpath = './nowhere/?.so'\nrequire 'silly.net.cluster'")
		local result = shell.command(shell.lua .. " script.lua")
		assert.equal(1, result.status)
		says("silly: the native library is not built, or LUA_CPATH does not lead to it: make build LUA=lua", result.err)
		says("no file './nowhere/silly/core.so'", result.err)
	end)

	it("whose port is taken is told which", function()
		local text, status = run([[
			serve {}
			local addr = assert(cluster.listen "127.0.0.1:0").addr
			print("taken: " .. addr)
			assert(cluster.listen(addr))
		]])
		local addr = text:match("taken: (127%.0%.0%.1:%d+)\n")
		says("[cluster] listen " .. addr .. ": Address already in use\n", text) -- in the log
		says(": listen " .. addr .. ": Address already in use\n", text) -- what assert raised
		assert.equal(1, status)
	end)

	it("whose marshal returns no number is told what it must return", function()
		says("cluster.call: marshal must return an integer command first, got string \"x\" for cmd 1",
			(run("serve { marshal = function(_, _, body) task.fork(silly.exit, 0) return body end }\ntask.fork(ask)")))
		says("marshal of the answer: a string wanted, got none: it must return a number, then a string\n", (run([[
			serve { marshal = function(kind, cmd, body)
				if kind == "response" then return body end
				return cmd, body
			end }
			task.fork(ask)
		]])))
	end)

	it("whose marshal returns nothing sees that in the log at debug, not above", function()
		local forgetful = "serve { marshal = function() end }\ntask.fork(ask)"
		says("nil\tnil\n", (run(forgetful)))
		assert.is_nil(run(forgetful):find("marshal", 1, true))
		says("[cluster] cluster.call sends nothing: marshal returned no command number, and no reason\n",
			(run("logger.setlevel(logger.DEBUG)\n" .. forgetful)))
	end)

	it("that serves without a codec is told which function is missing", function()
		says("script.lua:18: cluster.serve: option 'marshal' must be a function, got nil",
			(run("cluster.serve { call = print }")))
		says("cluster.serve: option 'unmarshal' must be a function, got nil",
			(run("cluster.serve { call = print, marshal = print }")))
		says("script.lua:18: cluster.listen: call cluster.serve first, with marshal, unmarshal and call",
			(run("cluster.listen('127.0.0.1:0')")))
	end)

	it("that calls a closed peer is told so at once, and may connect anew", function()
		assert.equal("nil\tpeer closed\nx\tnil\n", (run([[
			serve {}
			task.fork(function()
				local addr = assert(cluster.listen "127.0.0.1:0").addr
				local peer = cluster.connect(addr)
				cluster.close(peer)
				print(cluster.call(peer, 1, "x"))
				print(cluster.call(cluster.connect(addr), 1, "x"))
				silly.exit(0)
			end)
		]])))
	end)
end)
