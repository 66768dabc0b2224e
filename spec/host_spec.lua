--- Programs that are no silly programs: they embed Lua, or drive the loop themselves.

local silly = require "silly"
local task = require "silly.task"
local time = require "silly.time"
local echo = require "spec.support.echo"
local process = require "spec.support.shell"

teardown(process.clean)

describe("silly.step", function()
	it("with 0 never waits, and says whether something is pending", function()
		assert.is_false(silly.step(0))
		assert.is_false(silly.step())
		local session = time.after(60000, function() end)
		local began = time.monotonic()
		for _ = 1, 100 do
			assert.is_true(silly.step(0))
		end
		assert.is_true(time.monotonic() - began < 10000)
		time.cancel(session)
		assert.is_false(silly.step(0))
		task.fork(function() end)
		assert.is_false(silly.step(0))
	end)

	it("with 0 moves the sockets", function()
		local answer
		task.fork(function()
			local node = echo.open()
			answer = node.ask("moved")
			node.close()
		end)
		local began = os.time()
		while not answer and os.time() - began < 10 do
			silly.step(0)
		end
		assert.equal("moved", answer)
		while silly.step(0) and os.time() - began < 10 do end
		assert.is_false(silly.step(0))
	end)

	it("waits no longer than asked, and no longer than until something happens", function()
		local session = time.after(60000, function() end)
		local began = time.monotonic()
		silly.step(5)
		assert.is_true(time.monotonic() - began >= 5)
		time.cancel(session)
		local fired = false
		time.after(1, function()
			fired = true
		end)
		began = time.monotonic()
		silly.step(60000)
		assert.is_true(fired)
		assert.is_true(time.monotonic() - began < 30000)
	end)

	it("goes on after a task's error and a nested step", function()
		local refusal
		task.fork(function()
			refusal = select(2, pcall(silly.step, 0))
		end)
		silly.step(0)
		assert.matches("silly.step: the loop is already running", refusal, 1, true)
		assert.is_false(silly.step(0))
	end)
end)

describe("a host that embeds Lua", function()
	local host, problem

	setup(function()
		host, problem = process.host()
	end)
	local NODE = [[
		local silly, task, time = require "silly", require "silly.task", require "silly.time"
		local cluster = require "silly.net.cluster"
		cluster.serve { timeout = 2000, marshal = function(_, c, b) return c, b end,
			unmarshal = function(_, _, d) return d end, call = function(_, _, b) return b end }
		local listener = assert(cluster.listen "127.0.0.1:0")
		local function ask(peer, body) return (cluster.call(peer, 1, body)) end
	]]

	local function run(mode, text, again)
		if not host then
			pending("no C host: " .. tostring(problem))
		end
		process.write("hosted.lua", text)
		return process.command(("%s %s hosted.lua %s"):format(host, mode, again and "hosted.lua" or ""))
	end

	it("and runs a file starts no loop, has no hook, and is told once", function()
		local result = run("run", [[
			require "silly.task".fork(function() print "ran" end)
			assert(not debug.gethook())
			print "begun"
		]])
		assert.equal(0, result.status)
		assert.equal("begun\nhost: done\n", result.out)
		local _, count = result.err:gsub("silly: the program ended, but its tasks never ran: "
			.. "start it with `silly script.lua`, or call silly.run%(%) at its end", "")
		assert.equal(1, count)
	end)

	it("and drives the loop itself makes calls", function()
		local result = run("step", NODE .. [[
			task.fork(function()
				local peer = cluster.connect(listener.addr)
				for index = 1, 100 do assert(ask(peer, "body" .. index) == "body" .. index) end
				print "answered"
				cluster.close(peer)
				cluster.close(listener)
			end)
		]])
		assert.same({ status = 0, out = "answered\nhost: done\n", err = "" }, result)
	end)

	it("and calls silly.exit ends the loop, never the process", function()
		local result = run("step", NODE .. [[
			task.fork(function()
				local peer = cluster.connect(listener.addr)
				print(ask(peer, "x"))
				silly.exit(3)
				print "after"
			end)
		]])
		assert.same({ status = 0, out = "x\nhost: done\n", err = "" }, result)
		result = run("run", NODE .. "print(silly.run(function() silly.exit(3) end))")
		assert.same({ status = 0, out = "3\nhost: done\n", err = "" }, result)
	end)

	it("may close a state with connections open, and open another", function()
		local result = run("run", NODE .. [[
			local open
			task.fork(function()
				local peer = cluster.connect(listener.addr)
				print(ask(peer, "open"))
				cluster.send(peer, 1, ("x"):rep(60000))
				open = true
				time.sleep(60000)
			end)
			task.fork(function() ask({ addr = listener.addr }, "unanswered") end)
			while not open do silly.step(10) end
		]], true)
		assert.same({ status = 0, out = "open\nopen\nhost: done\n", err = "" }, result)
	end)

	it("may fork: the child is told, and the parent's sockets go on", function()
		local result = run("run", NODE .. [[
			local function wait_for(body)
				local done
				task.fork(function() body() done = true end)
				while not done do silly.step(10) end
			end
			local peer
			wait_for(function() peer = cluster.connect(listener.addr) assert(ask(peer, "x") == "x") end)
			local ways = {
				function() local ok, why = pcall(silly.step, 0) assert(not ok) print(why) end,
				function() local _, why = cluster.listen "127.0.0.1:0" print(why) end,
				function() cluster.close(peer) cluster.close(listener) print "closed" end,
				function()
					task.fork(function() cluster.send(peer, 1, ("x"):rep(60000)) end)
					print(pcall(silly.step, 0))
				end,
				function() silly.exit(0) end,
				function() collectgarbage() end,
			}
			for number, way in ipairs(ways) do
				local pid = fork()
				if pid == 0 then
					local ok, why = pcall(way)
					if not ok then print(why) end
					leave(ok and 7 or 8)
				end
				assert(waitpid(pid) == 7, number)
				wait_for(function()
					assert(ask(peer, "still") == "still", number)
					local new = cluster.connect(listener.addr, { shared = false })
					assert(ask(new, "new") == "new", number)
					cluster.close(new)
				end)
			end
			local pid = fork()
			if pid == 0 then return end -- and closes its state
			assert(waitpid(pid) == 0)
			wait_for(function() assert(ask(peer, "last") == "last") end)
			print "parent is well"
		]])
		assert.equal(0, result.status)
		local FORKED = "this process was forked from one that already used the network; "
			.. "fork before the first listen or connect\n"
		assert.equal("silly: " .. FORKED .. FORKED .. "closed\nfalse\tsilly: " .. FORKED
			.. "host: done\nparent is well\nhost: done\n", result.out)
	end)

	it("may fork first: parent and child each have a network of their own", function()
		local result = run("step", [[
			local pid = fork()
		]] .. NODE .. [[
			task.fork(function()
				print(ask(cluster.connect(listener.addr), pid == 0 and "child" or "parent"))
				if pid == 0 then io.stdout:flush() leave(0) end
				waitpid(pid)
				silly.exit()
			end)
		]])
		assert.equal("", result.err)
		assert.matches("child\n", result.out)
		assert.matches("parent\n", result.out)
		assert.matches("host: done\n$", result.out)
	end)
end)

describe("a state whose package.loaded was emptied", function()
	it("gives no number twice, and the main chunk keeps its trace", function()
		local result = process.script [[
			local before = { require "silly".genid(), require "silly.trace" }
			before[2].spawn()
			for name in pairs(package.loaded) do
				if name:find "^silly" then package.loaded[name] = nil end
			end
			print(require "silly".genid() - before[1])
			print(require "silly.trace".current() == before[2].current())
		]]
		assert.same({ status = 0, out = "1\ntrue\n", err = "" }, result)
	end)

	it("has the same runtime when silly is required again", function()
		local result = process.script [[
			local time, task = require "silly.time", require "silly.task"
			local cluster = require "silly.net.cluster"
			local waiting = task.fork(function() print("woken", task.wait()) end)
			time.after(20, function() print "timer" end)
			require "silly".step(0)
			for name in pairs(package.loaded) do
				if name:find "^silly" then package.loaded[name] = nil end
			end
			local again, silly = require "silly.task", require "silly"
			assert(again.status(waiting) == "WAIT")
			assert(require "silly.net.cluster" == cluster)
			again.wakeup(waiting, "by the new one")
			local session = time.after(60000, print)
			require "silly.time".cancel(session)
			silly.run()
			print "end"
		]]
		assert.same({ status = 0, out = "woken\tby the new one\ntimer\nend\n", err = "" }, result)
	end)
end)
