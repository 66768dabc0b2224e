--- How a script's process ends.

local time = require "silly.time"
local process = require "spec.support.shell"

--- Its `arg` is not there before the script begins.
local LATE_ARG = _VERSION < "Lua 5.3" and not rawget(_G, "jit")

--- A node, for what follows, that waits for connections it does not close.
local NODE = [[
local cluster = require "silly.net.cluster"
cluster.serve { marshal = function(_, c, b) return c, b end, unmarshal = function(_, _, d) return d end,
	call = function(_, _, b) return b end }
local listener = assert(cluster.listen "127.0.0.1:0")
]]

local HEAD = [[
local silly, task, time = require "silly", require "silly.task", require "silly.time"
]]

local function run(text)
	return process.script(HEAD .. text)
end

teardown(process.clean)

describe("silly.exit", function()
	local function exits(status, text)
		local result = run(text)
		assert.equal("", result.err)
		assert.equal(status, result.status)
		return result.out
	end

	it("T9: ends with its status; the fork before it never runs, nor what stands behind it", function()
		assert.equal("", exits(3, "task.fork(function() print 'fork' end) silly.exit(3) print 'after'"))
	end)

	it("T9: cannot be caught by pcall", function()
		local inside = "pcall(silly.exit, 3) print 'after'"
		assert.equal("", exits(3, inside))
		assert.equal("", exits(3, "task.fork(function() " .. inside .. " end)"))
	end)

	it("takes the low 8 bits, and 0 by default", function()
		exits(0, "silly.exit()")
		exits(44, "task.fork(function() silly.exit(300) end)")
		exits(255, "silly.exit(-1)")
		exits(7, "silly.exit('7')")
	end)

	it("ends from a coroutine inside a task, a timer, and under a C function", function()
		local inside = "silly.exit(5) print 'after'"
		assert.equal("", exits(5, "task.fork(function() coroutine.wrap(function() " .. inside .. " end)() end)"))
		assert.equal("", exits(5, "time.after(1, function() " .. inside .. " end)"))
		assert.equal("", exits(5, "task.fork(function() ('x'):gsub('x', function() " .. inside .. " end) end)"))
	end)

	it("ends no matter what waits or listens, and flushes standard output", function()
		assert.equal("no newline", exits(0, NODE .. [[
			task.fork(task.wait)
			time.after(100000, print)
			io.write "no newline"
			task.fork(silly.exit)
		]]))
	end)

	it("takes no longer than what is queued, though others are connected and timers pending", function()
		local began = time.monotonic()
		exits(3, NODE .. [[
			time.after(60000, print)
			task.fork(function()
				cluster.connect(listener.addr)
				cluster.connect(listener.addr, { shared = false })
				silly.exit(3)
			end)
		]])
		assert.is_true(time.monotonic() - began < 1500)
	end)

	it("runs no pending variable's __close", function()
		local compile = loadstring or load -- luacheck: ignore
		if not compile "local x <close> = nil" then
			return
		end
		assert.equal("", exits(2, [[
			local guard = setmetatable({}, { __close = function() print "closed" end })
			task.fork(function() local g <close> = guard; silly.exit(2) end)
		]]))
	end)

	it("ends the process from silly.run too, wherever an interpreter runs it", function()
		assert.equal("", exits(3, "debug.sethook(function() end, 'l')"
			.. "silly.run(function() silly.exit(3) end) print 'after'"))
		if LATE_ARG then
			return -- under -e it has no `arg` to be recognised by
		end
		process.write("script.lua", HEAD .. "silly.run(function() silly.exit(3) end) print 'after'")
		local result = process.command(process.lua .. " -e 'dofile [[script.lua]]'")
		assert.same({ status = 3, out = "", err = "" }, result)
	end)

	it("ends only the loop where the script drives it", function()
		assert.equal("false\nfalse\nstill here\n", exits(0, [[
			local ran
			local guard = pcall
			if _VERSION == "Lua 5.1" and not jit then -- its pcall would catch it
				guard = function(f, a) f(a) end
			end
			task.fork(function() guard(silly.exit, 3) ran = true end)
			time.after(0, function() ran = true end)
			print(silly.step(0))
			task.fork(function() ran = true end)
			print(silly.step(10))
			assert(not ran)
			print "still here"
		]]))
	end)
end)

describe("the loop ends by itself", function()
	it("after the last timer or connection", function()
		local result = run(NODE .. [[
			task.fork(function()
				local peer = cluster.connect(listener.addr)
				print(cluster.call(peer, 1, "x"))
				cluster.close(peer)
				cluster.close(listener)
			end)
			task.fork(function() time.sleep(20) print "slept" end)
		]])
		assert.same({ status = 0, out = "x\tnil\nslept\n", err = "" }, result)
	end)

	it("when the last connection is closed and the other end has seen it", function()
		local server = process.start(NODE .. "print(listener.addr)")
		local client = run(NODE .. "cluster.close(listener) task.fork(function() local peer = cluster.connect '"
			.. server.read() .. "' print(cluster.call(peer, 1, 'x')) cluster.close(peer) end)")
		server.kill("TERM")
		server.wait()
		assert.same({ status = 0, out = "x\tnil\n", err = "" }, client)
	end)

	it("and says where a task still waits", function()
		local result = run [[
			kept = task.fork(function()
				time.sleep(1)
				task.wait() -- line 4
			end)
			parked = task.fork(function()
				coroutine.yield() -- line 7
			end)
		]]
		assert.equal(0, result.status)
		local _, count = result.err:gsub("a task still waits", "")
		assert.equal(2, count)
		assert.matches("W [^\n]*a task still waits:.*script%.lua:4:", result.err)
		assert.matches("W [^\n]*a task still waits:.*script%.lua:7:", result.err)
	end)

	it("after an error in the only task", function()
		local result = run "task.fork(error, 'boom')"
		assert.equal(0, result.status)
		assert.matches("boom", result.err)
	end)
end)

describe("a running script", function()
	it("shows what it printed before it waits", function()
		local child = process.start(HEAD .. "time.after(60000, print) io.write 'shown'")
		assert.equal("shown", child.read(5))
		child.kill("TERM")
		assert.equal("", child.wait().out)
	end)

	local BUSY = "task.fork(function() print 'ready' io.stdout:flush() while true do end end)"
	local WAITING = "task.fork(function() print 'ready' time.sleep(60000) end)"
	local CONNECTED = NODE .. [[
		task.fork(function() cluster.connect(listener.addr) print "ready" end)
	]]

	for signal, number in pairs { INT = 2, TERM = 15 } do
		for what, text in pairs { ["computes"] = BUSY, ["sleeps"] = WAITING, ["is connected"] = CONNECTED } do
			it("ends by SIG" .. signal .. " while it " .. what, function()
				local child = process.start(HEAD .. text)
				assert.equal("ready", child.read())
				child.kill(signal)
				local result = child.wait()
				assert.equal("", result.err)
				if result.how then -- 5.1 does not tell
					assert.same({ "signal", number }, { result.how, result.number })
				end
			end)
		end
	end

	it("leaves SIGINT as it was once the loop has ended", function()
		local result = run [[
			silly.run(function() time.sleep(1) end)
			local ok, why = pcall(function()
				io.popen("kill -INT " .. silly.pid):close() -- os.execute would ignore it
				while true do end
			end)
			print(ok, tostring(why):match("interrupted!"))
		]]
		assert.equal("false\tinterrupted!\n", result.out)
	end)
end)
