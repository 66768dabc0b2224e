--- A host that waits by itself: silly.pending, silly.timeout and silly.fd. Each test is a program
--- of its own, since what other specs left behind would make the descriptor readable, too.

local process = require "spec.support.shell"
local names = require "spec.support.dns"

teardown(process.clean)

--- What the programs share: a node that answers itself, and a look at the descriptor.
local PRELUDE = [[
	local silly, task, time = require "silly", require "silly.task", require "silly.time"
	local cluster, socket = require "silly.net.cluster", require "socket"
	cluster.serve {
		marshal = function(_, cmd, body) return cmd, body end,
		unmarshal = function(_, _, data) return data end,
		call = function(_, _, body) return body end,
	}
	local fd
	-- LuaSocket selects whatever says its number.
	local subject = { getfd = function() return fd end, dirty = function() return false end }
	local function readable(seconds)
		return #socket.select({ subject }, nil, seconds) > 0
	end
	-- A host that waits on nothing but the descriptor.
	local LONG = 10
	local function wait_until(condition)
		while not condition() do
			assert(readable(LONG), "the descriptor says nothing")
			silly.step(0)
		end
	end
	local function in_task(body)
		local done
		task.fork(function() body() done = true end)
		wait_until(function() return done end)
	end
	-- Steps while there is a reason to; a descriptor that is always readable never gets out.
	local function settle()
		local steps = 0
		while readable(0) do
			steps = steps + 1
			assert(steps < 50, "the descriptor is never quiet")
			silly.step(0)
		end
	end
	local listener, peer
	local function open_node()
		in_task(function()
			listener = assert(cluster.listen "127.0.0.1:0")
			peer = cluster.connect("localhost:" .. listener.addr:match "%d+$")
			assert(cluster.call(peer, 1, "hello") == "hello")
		end)
		settle()
	end
	local function raw_peer()
		return assert(socket.connect("127.0.0.1", tonumber(listener.addr:match "%d+$")))
	end
]]

local function passes(text)
	local result = process.script(PRELUDE .. text .. "\nprint 'passed' os.exit(0)")
	assert.same({ status = 0, out = "passed\n", err = "" }, result)
end

describe("silly.pending", function()
	it("is true while anything can still happen", function()
		passes [[
			assert(silly.pending() == false)
			task.fork(function() end)
			assert(silly.pending() == true)
			silly.step(0)
			assert(silly.pending() == false)
			local session = time.after(60000, print)
			assert(silly.pending() == true)
			time.cancel(session)
			assert(silly.pending() == false)
			local listener = assert(cluster.listen "127.0.0.1:0")
			assert(silly.pending() == true)
			cluster.close(listener)
			assert(silly.pending() == false)
		]]
	end)
end)

describe("silly.timeout", function()
	it("is nil, 0, or the milliseconds to the next deadline, rounded up", function()
		passes [[
			assert(silly.timeout() == nil)
			local long = time.after(60000, print)
			local left = silly.timeout()
			assert(left > 50000 and left <= 60001 and left % 1 == 0, left)
			local fired
			local short = time.after(30, function() fired = true end)
			assert(silly.timeout() <= 31)
			while not fired do
				local before = socket.gettime()
				local ms = silly.timeout()
				socket.sleep(ms / 1000)
				silly.step(0)
				assert(fired or silly.timeout() > 0, "it was time, and nothing happened")
			end
			time.cancel(long)
			assert(silly.timeout() == nil)
			task.fork(function() end)
			assert(silly.timeout() == 0)
			silly.step(0)
			assert(silly.timeout() == nil)
		]]
	end)

	it("is 0 for whatever a host asks for between two steps", function()
		passes [[
			local listener = assert(cluster.listen "127.0.0.1:0")
			assert(silly.timeout() == 0)
			silly.step(0)
			assert(silly.timeout() == nil)
			local asked
			task.fork(function()
				asked = true
				cluster.connect(listener.addr)
			end)
			silly.step(0)
			assert(asked and silly.timeout() == 0, "a dial has begun")
		]]
	end)

	it("is 0 when serve grants more room to a call that waits", function()
		passes [[
			local conf = {
				marshal = function(_, cmd, body) return cmd, body end,
				unmarshal = function(_, _, data) return data end,
				call = function() time.sleep(60000) end,
				timeout = 60000,
				maxcalls = 1,
			}
			cluster.serve(conf)
			local listener = assert(cluster.listen "127.0.0.1:0")
			for _ = 1, 2 do
				task.fork(function() cluster.call({ addr = listener.addr }, 1, "x") end)
			end
			repeat silly.step(10) until cluster.stats().handlers == 1
			repeat silly.step(0) until silly.timeout() ~= 0
			conf.maxcalls = 2
			cluster.serve(conf)
			assert(silly.timeout() == 0)
			repeat silly.step(10) until cluster.stats().handlers == 2
		]]
	end)
end)

describe("what a host raises inside a step, such as its Ctrl-C,", function()
	it("is the step's error, and no task's", function()
		passes [[
			local logged = {}
			require("silly.internal.scheduler").report = function(text) logged[#logged + 1] = text end
			local beats = 0
			for _ = 1, 50 do
				task.fork(function()
					while true do
						time.sleep(0)
						task.fork(function() end)
						beats = beats + 1
					end
				end)
			end
			local raised, thrown = 0, 0
			for instructions = 1, 4000, 7 do
				debug.sethook(function()
					debug.sethook()
					-- In the library's own hands, and not in a task's.
					local running, main = coroutine.running()
					local where = debug.getinfo(2, "S").short_src
					if (not running or main) and where:find("scheduler.lua", 1, true) then
						thrown = thrown + 1
						error("interrupted!", 0)
					end
				end, "", instructions)
				local ok, why = pcall(silly.step, 2)
				debug.sethook()
				raised = raised + (not ok and why == "interrupted!" and 1 or 0)
			end
			-- LuaJIT's hook counts what tasks do as well, and hardly ever stops the library itself.
			assert(thrown > (jit and 0 or 10) and raised == thrown, thrown .. " thrown, raised " .. raised)
			for _, text in ipairs(logged) do
				assert(not text:find("failed", 1, true), text)
			end
			assert(beats > 0)
		]]
	end)

	it("leaves a lock whose task has just returned to nobody else", function()
		passes [[
			local mutex, main = require "silly.sync.mutex", coroutine.running()
			local raised = 0
			for instructions = 1, 60 do
				local locks, guard, got = mutex.new(), nil, nil
				local function strike() debug.sethook(main or nil) error("interrupted!", 0) end
				task.fork(function()
					guard = locks:lock("key")
					if main then debug.sethook(main, strike, "", instructions) end
				end)
				local ok, why = pcall(silly.step, 0)
				debug.sethook()
				assert(ok or why == "interrupted!", why)
				raised = raised + (ok and 0 or 1)
				local second = task.fork(function()
					local mine = locks:lock("key")
					got = true
					mine:unlock()
				end)
				silly.step(0)
				assert(not got, "two tasks hold the key")
				guard:unlock()
				for _ = 1, 3 do silly.step(0) end
				assert(got and not task.status(second), "nobody gets the key any more")
			end
			-- Nothing leads to the main thread on 5.1, and LuaJIT's hook counts what tasks do as well.
			assert(not main or jit or raised > 20, raised)
		]]
	end)

	it("does not let a task be resumed that the host itself runs", function()
		passes [[
			local logged = {}
			require("silly.internal.scheduler").report = function(text) logged[#logged + 1] = text end
			local waits = task.fork(function()
				task.wait()
				pcall(silly.step, 0)
				logged[#logged + 1] = "returned"
			end)
			silly.step(0)
			task.wakeup(waits, "woken")
			coroutine.resume(waits)
			silly.step(0)
			assert(table.concat(logged, " "):find("non%-suspended"), logged[1])
			assert(task.status(waits) == nil)
		]]
	end)
end)

describe("silly.fd", function()
	it("is readable at once when a host makes a task ready, and quiet after the step", function()
		passes [[
			fd = assert(silly.fd())
			assert(not readable(0))
			for _ = 1, 3 do
				local ran = 0
				for _ = 1, 5 do task.fork(function() ran = ran + 1 end) end
				assert(readable(0) and silly.timeout() == 0)
				silly.step(0)
				assert(ran == 5 and not readable(0) and silly.timeout() == nil)
			end
			local thread = task.fork(function() task.wait() end)
			silly.step(0)
			assert(not readable(0))
			task.wakeup(thread)
			assert(readable(0))
			silly.step(0)
			assert(not readable(0) and task.status(thread) == nil)
		]]
	end)

	it("is readable when a timer is due, not before, and never for one taken back", function()
		passes [[
			fd = assert(silly.fd())
			local began, fired = socket.gettime()
			time.after(50, function() fired = true end)
			assert(readable(LONG))
			assert(socket.gettime() - began >= 0.05)
			assert(silly.timeout() == 0)
			silly.step(0)
			assert(fired and not readable(0))
			-- One that is earlier than what was set before, and one that is taken back.
			local late, taken_back = time.after(60000, print), time.after(20, print)
			began, fired = socket.gettime(), false
			time.after(40, function() fired = true end)
			time.cancel(taken_back)
			wait_until(function() return fired end)
			assert(socket.gettime() - began >= 0.04)
			time.cancel(late)
			time.cancel(time.after(30, print))
			assert(silly.timeout() == nil and not readable(0.1))
		]]
	end)

	it("wakes a sleeping task, and one that sleeps again and again", function()
		passes [[
			fd = assert(silly.fd())
			in_task(function()
				for _ = 1, 20 do time.sleep(2) end
			end)
		]]
	end)

	it("is all that a host needs for calls, a lookup and failures", function()
		passes [[
			fd = assert(silly.fd())
			open_node()
			in_task(function()
				for index = 1, 50 do
					local body = ("x"):rep(index * 1000)
					assert(cluster.call(peer, 1, body) == body)
				end
				local nobody = cluster.connect "localhost:1"
				local _, why = cluster.call(nobody, 1, "x")
				assert(why:find "Connection refused", why)
				local unknown = cluster.connect("no.such.name.invalid:1", { shared = false })
				_, why = cluster.call(unknown, 1, "x", 300)
				assert(why, "a name that is none")
			end)
			settle()
		]]
	end)

	it("is readable when a silent name server has had its time, which only the runtime knows", async(function()
		local server = names.start '{ ["a.test"] = { A = { "10.0.0.1" } } }'
		local ok, problem = pcall(passes, ([[
			local dns = require "silly.net.dns"
			fd = assert(silly.fd())
			dns.server(%q, %q)
			in_task(function() assert(dns.lookup "a.test" == "10.0.0.1") end)
			settle()
			assert(silly.timeout() == nil and not readable(0.1))
		]]):format(names.silent(), server.addr))
		names.close()
		assert(ok, problem)
	end))

	it("is quiet while connections and listeners are idle", function()
		passes [[
			fd = assert(silly.fd())
			open_node()
			assert(silly.timeout() == nil)
			assert(not readable(0.3))
		]]
	end)

	it("is readable when a peer connects, sends and leaves", function()
		passes [[
			fd = assert(silly.fd())
			open_node()
			local raw = raw_peer()
			assert(readable(LONG))
			settle()
			raw:send "\0\19hel"
			assert(readable(LONG))
			settle()
			raw:close()
			assert(readable(LONG))
			settle()
			assert(not readable(0.1))
		]]
	end)

	it("is readable when a host listens or closes between two steps", function()
		passes [[
			fd = assert(silly.fd())
			local first = assert(cluster.listen "127.0.0.1:0")
			assert(readable(0))
			settle()
			cluster.close(first)
			settle()
			open_node()
			cluster.close(peer)
			assert(readable(0) and silly.timeout() == 0)
			cluster.close(listener)
			wait_until(function() return not silly.pending() end)
			settle()
			assert(not readable(0.1) and silly.timeout() == nil)
		]]
	end)

	it("tells of more than one step can take", function()
		passes [[
			fd = assert(silly.fd())
			open_node()
			local count = 0
			in_task(function()
				for _ = 1, 2000 do
					task.fork(function()
						assert(cluster.call(peer, 1, ("x"):rep(5000)))
						count = count + 1
					end)
				end
			end)
			wait_until(function() return count == 2000 end)
			settle()
		]]
	end)

	it("is the same number for the life of the state, asked for where and how often you like", function()
		passes [[
			local inside
			task.fork(function() inside = silly.fd() end)
			silly.step(0)
			fd = inside
			assert(silly.fd() == fd and fd > 2 and fd % 1 == 0)
			open_node()
			assert(silly.fd() == fd)
			for name in pairs(package.loaded) do
				if name:find "^silly" then package.loaded[name] = nil end
			end
			local again = require "silly"
			assert(again.fd() == fd)
			local ran
			require "silly.task".fork(function() ran = true end)
			assert(readable(0))
			again.step(0)
			assert(ran)
			settle()
		]]
	end)

	it("stays, and is never readable again, when silly.exit has ended a host's loop", function()
		passes [[
			fd = assert(silly.fd())
			open_node()
			local raw = raw_peer()
			settle()
			time.after(50, print)
			task.fork(function() silly.exit(3) end)
			assert(readable(0))
			assert(silly.step(0) == false)
			raw:close()
			task.fork(print)
			time.after(10, print)
			assert(silly.fd() == fd and silly.timeout() == nil and not silly.pending())
			assert(not readable(0.1))
			assert(silly.step(0) == false)
		]]
		passes [[
			task.fork(function() silly.exit() end)
			silly.step(0)
			fd = assert(silly.fd())
			task.fork(print)
			assert(not readable(0.1))
		]]
	end)

	it("does no harm to a loop of our own", function()
		passes [[
			fd = assert(silly.fd())
			silly.run(function()
				local listener = assert(cluster.listen "127.0.0.1:0")
				local peer = cluster.connect(listener.addr)
				assert(cluster.call(peer, 1, "x") == "x")
				time.sleep(10)
				cluster.close(peer)
				cluster.close(listener)
			end)
			settle()
			assert(not readable(0.05))
		]]
	end)
end)

describe("a bare loop of steps that never wait", function()
	it("makes calls over a name", function()
		passes [[
			local answer
			task.fork(function()
				listener = assert(cluster.listen "127.0.0.1:0")
				peer = cluster.connect("localhost:" .. listener.addr:match "%d+$")
				answer = cluster.call(peer, 1, "frame")
				cluster.close(peer)
				cluster.close(listener)
			end)
			local frames = 0
			while silly.step(0) do frames = frames + 1 end
			assert(answer == "frame" and frames > 0)
		]]
	end)
end)

describe("in a host that embeds Lua, silly.fd", function()
	local host, problem

	setup(function()
		host, problem = process.host()
		process.write("count.lua", "print(descriptors())")
	end)

	it("is closed with the state, and with it all that was opened", function()
		assert(host, problem)
		process.write("guest.lua", PRELUDE .. [[
			fd = assert(silly.fd())
			open_node()
			task.fork(function() cluster.call(peer, 1, "under way") end)
			silly.step(0)
			time.after(60000, print)
		]])
		local result = process.command(host .. " run count.lua guest.lua guest.lua count.lua")
		local before, after = result.out:match "^(%d+)\n(%d+)\nhost: done\n$"
		assert.truthy(before, result.out .. result.err)
		assert.equal(before, after)
	end)

	it("is refused in a forked child, which leaves its parent's alone", function()
		assert(host, problem)
		process.write("fork.lua", PRELUDE .. [[
			fd = assert(silly.fd())
			open_node()
			local child = fork()
			if child == 0 then
				print(silly.fd())
				task.fork(function() end)
				time.after(1, print)
				cluster.close(peer)
				print(pcall(silly.step, 0))
				print(pcall(silly.exit, 0))
				leave(7)
			end
			assert(waitpid(child) == 7)
			assert(not readable(0.05), "the child has rung its parent's")
			in_task(function() assert(cluster.call(peer, 1, "well") == "well") end)
		]])
		local result = process.command(host .. " run fork.lua")
		local FORKED = "this process was forked from one that already used the network; "
			.. "fork before the first listen or connect\n"
		assert.same({
			status = 0,
			out = "nil\t" .. FORKED .. "false\tsilly: " .. FORKED .. "true\nhost: done\n",
			err = "",
		}, result)
	end)
end)
