local silly = require "silly"
local task = require "silly.task"
local time = require "silly.time"
local cluster = require "silly.net.cluster"
local dns = require "silly.net.dns"
local node = require "spec.support.node"
local log = require "spec.support.log"
local names = require "spec.support.dns"
local process = require "spec.support.shell"

--- A task that has begun to do something that must not return.
local function begun(body, ...)
	local thread = task.fork(function(argument)
		body(argument)
		error("a cancelled task went on")
	end, ...)
	task.fork(task.wakeup, task.running())
	task.wait()
	return thread
end

teardown(process.clean)

describe("task.cancel", function()
	before_each(node.before)
	after_each(function()
		local text = log.text()
		node.after()
		assert.is_nil(text:find("went on", 1, true))
	end)

	it("ends a task that waits for a wakeup", async(function()
		local thread = begun(task.wait)
		assert.is_true(task.cancel(thread))
		assert.is_nil(task.status(thread))
		assert.is_nil(task.tasks()[thread])
		assert.error_matches(function() task.wakeup(thread) end, "BUG: wakeup on task stat:nil")
		assert.is_false(task.cancel(thread))
		assert.equal("", log.text())
	end))

	it("ends a task parked by a yield of its own", async(function()
		local thread = begun(coroutine.yield)
		assert.equal("WAIT", task.status(thread))
		assert.is_true(task.cancel(thread))
		assert.is_nil(task.status(thread))
	end))

	it("ends a task that has not begun, and one that was woken", async(function()
		local ran = {}
		local function note(name)
			return function() ran[#ran + 1] = name end
		end
		local woken = begun(task.wait)
		local first, second, third = task.fork(note(1)), task.fork(note(2)), task.fork(note(3))
		task.wakeup(woken, "value")
		assert.is_true(task.cancel(second))
		assert.is_true(task.cancel(woken))
		local fourth = task.fork(note(4))
		assert.are_not.equal(second, fourth)
		time.sleep(0)
		assert.same({ 1, 3, 4 }, ran)
		for _, thread in ipairs { first, second, third, fourth, woken } do
			assert.is_false(task.cancel(thread))
		end
	end))

	it("ends a task that another made ready in the same round", async(function()
		local victim
		local killer = task.fork(function()
			assert(task.cancel(victim))
		end)
		victim = task.fork(error, "a cancelled task went on")
		time.sleep(0)
		assert.is_nil(task.status(killer))
		assert.is_nil(task.status(victim))
	end))

	it("removes the timer of a sleep, so that the loop may end", function()
		local woken = false
		local long = task.fork(function()
			time.sleep(60000)
			woken = true
		end)
		assert.is_true(silly.step(0))
		assert.is_true(task.cancel(long))
		assert.is_false(silly.step(0))
		assert.is_false(woken)
	end)

	it("ends a sleep that is over but not delivered, and spares the next sleeper in its place", async(function()
		local ended = {}
		local threads = {}
		for index = 1, 2 do
			threads[index] = task.fork(function()
				time.sleep(1)
				ended[#ended + 1] = index
				task.cancel(threads[3 - index])
				-- Takes the timer's place that has just become free.
				time.sleep(5)
				ended[#ended + 1] = "again"
			end)
		end
		local until_then = time.monotonic() + 5
		while time.monotonic() < until_then do end
		repeat
			time.sleep(5)
		until #ended == 2
		assert.equal("again", ended[2])
		time.sleep(20)
		assert.equal(2, #ended)
	end))

	it("takes a call back: its late answer disturbs nobody", async(function()
		local parked = {}
		node.serve { timeout = 60000, call = function(_, _, body)
			if body == "slow" then
				parked[#parked + 1] = task.running()
				task.wakeup(parked.caller)
				task.wait()
			end
			return "r:" .. body
		end }
		local peer = node.pair()
		parked.caller = task.running()
		local caller = task.fork(function()
			cluster.call(peer, 1, "slow")
			error("a cancelled task went on")
		end)
		task.wait()
		assert.equal("RUN", task.status(caller))
		assert.equal(1, cluster.stats().calls_in_flight)
		local timeouts = cluster.stats().timeouts
		assert.is_true(task.cancel(caller))
		assert.equal(0, cluster.stats().calls_in_flight)
		assert.equal(timeouts, cluster.stats().timeouts)
		-- The slot is another's now, and the late answer comes before that one's.
		task.wakeup(parked[1])
		for index = 1, 10 do
			assert.equal("r:" .. index, (cluster.call(peer, 1, tostring(index))))
		end
		assert.equal("", log.text())
	end))

	it("ignores an answer that has arrived but was not delivered", async(function()
		local peer = node.pair()
		local threads, ended = {}, {}
		for index = 1, 10 do
			threads[index] = task.fork(function()
				assert(cluster.call(peer, 1, "x") == "r:x")
				ended[#ended + 1] = index
				for other = 1, 10 do
					if other ~= index then
						task.cancel(threads[other])
					end
				end
			end)
		end
		node.eventually(function() return #ended > 0 end)
		assert.equal("r:y", (cluster.call(peer, 1, "y")))
		assert.equal(1, #ended)
		assert.equal("", log.text())
	end))

	it("ends a call that waits for the connection, whose message is never sent", async(function()
		local seen = {}
		node.serve { timeout = 60000, call = function(_, _, body)
			seen[#seen + 1] = body
			return body
		end }
		local listener = node.listen()
		local peer = { addr = listener.addr }
		local first = task.fork(function() cluster.call(peer, 1, "cancelled call") end)
		local second = task.fork(function() cluster.send(peer, 1, "cancelled send") end)
		task.fork(function()
			assert.is_true(task.cancel(first))
			assert.is_true(task.cancel(second))
		end)
		assert.equal("kept", (cluster.call(peer, 1, "kept")))
		assert.same({ "kept" }, seen)
		cluster.close(peer)
	end))

	it("ends a connect, and the dial that nobody else waits for", function()
		local accepted = 0
		node.serve { accept = function() accepted = accepted + 1 end, timeout = 60000 }
		local listener = node.listen()
		local thread = task.fork(function()
			cluster.connect(listener.addr, { shared = false })
			error("a cancelled task went on")
		end)
		local cancelled
		task.fork(function()
			cancelled = task.cancel(thread)
		end)
		silly.step(0)
		assert.is_true(cancelled)
		for _ = 1, 5 do
			silly.step(5)
		end
		assert.equal(0, accepted)
	end)

	it("closes the handle that a connect was to have for itself", async(function()
		node.serve { timeout = 60000 }
		local listener = node.listen()
		local function cancel_connects(count)
			for _ = 1, count do
				local thread = task.fork(function()
					cluster.connect(listener.addr, { shared = false })
				end)
				task.fork(function()
					assert.is_true(task.cancel(thread))
				end)
				time.sleep(0)
			end
			collectgarbage()
			collectgarbage()
			return collectgarbage "count"
		end
		local before = cancel_connects(100)
		local grown = cancel_connects(500) - before
		assert.is_true(grown < 60, grown .. " KB are left behind")
	end))

	it("ends a handler, whose caller is left without an answer", async(function()
		local handlers = {}
		node.serve { timeout = 60, call = function(_, _, body)
			if body == "park" then
				handlers[#handlers + 1] = task.running()
				task.wait()
			end
			return "r:" .. body
		end }
		local peer = node.pair()
		task.fork(function()
			node.eventually(function() return handlers[1] end)
			assert(cluster.stats().handlers == 1)
			assert(task.cancel(handlers[1]))
			assert(cluster.stats().handlers == 0)
		end)
		local answer, why = cluster.call(peer, 1, "park")
		assert.is_nil(answer)
		assert.equal("timeout", why)
		assert.is_false(task.cancel(handlers[1]))
		assert.equal("r:next", (cluster.call(peer, 1, "next")))
	end))

	it("ends an accept callback, and costs its connection", async(function()
		local host, gone
		node.serve {
			accept = function()
				host = task.running()
				task.wait()
			end,
			close = function(peer, errno)
				gone = { peer, errno }
			end,
		}
		local peer = node.pair()
		node.eventually(function() return host end)
		assert.is_true(task.cancel(host))
		node.eventually(function() return gone end)
		assert.same({ peer, 0 }, gone)
	end))

	it("ends a lookup", async(function()
		dns.server(names.silent())
		local thread = begun(function()
			dns.lookup("a.test", dns.A, 60000)
		end)
		assert.equal("silly.net.dns", task.inspect()[thread].waits)
		assert.is_true(task.cancel(thread)) -- node.after demands that it is not under way any more
		dns.server()
		names.close()
	end))

	it("ends a drain: requests are handled again", async(function()
		local handler
		node.serve { timeout = 60000, call = function(_, _, body)
			if body == "slow" then
				handler = task.running()
				task.wait()
			end
			return "r:" .. body
		end }
		local peer = node.pair()
		local slow
		task.fork(function()
			slow = cluster.call(peer, 1, "slow")
		end)
		node.eventually(function() return handler end)
		local drainer = begun(cluster.drain)
		assert.is_true(task.cancel(drainer))
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
		task.wakeup(handler)
		node.eventually(function() return slow end)
		assert.equal("r:slow", slow)
	end))

	it("can be called outside a task", function()
		local thread = task.fork(task.wait)
		assert.is_true(task.cancel(thread))
		thread = task.fork(task.wait)
		silly.step(0)
		assert.is_true(task.cancel(thread))
		assert.is_false(silly.step(0))
	end)

	it("refuses the running task, also from a coroutine that it resumes", async(function()
		local this = task.running()
		local function refused()
			local _, problem = pcall(function() task.cancel(this) end)
			assert.matches("cancel_spec%.lua:%d+: task%.cancel: the running task cannot be cancelled", problem)
		end
		refused()
		coroutine.wrap(refused)()
		assert.equal("RUN", task.status(this))
		time.sleep(0)
	end))

	it("refuses what is no thread, and knows no stranger", async(function()
		assert.error_matches(function() task.cancel(nil) end, -- luacheck: ignore
			"task%.cancel: the first argument must be a thread, got nil")
		assert.is_false(task.cancel(coroutine.create(function() end)))
	end))

	it("takes a task back whose coroutine the script has closed by itself", async(function()
		if not coroutine.close then
			return -- nothing closes coroutines in this Lua
		end
		local thread = begun(time.sleep, 60000)
		coroutine.close(thread)
		assert.is_true(task.cancel(thread)) -- node.after demands that no timer is left
	end))

	it("drops a task so that it can be collected", async(function()
		local weak = setmetatable({}, { __mode = "k" })
		local peer = node.pair()
		local function cancelled(thread)
			weak[thread] = true
			assert(task.cancel(thread))
		end
		for _, wait in ipairs {
			task.wait,
			function() time.sleep(60000) end,
			function() cluster.call(peer, 1, "x") end,
		} do
			cancelled(begun(wait))
		end
		cancelled(task.fork(error, {}))
		assert.equal("r:y", (cluster.call(peer, 1, "y"))) -- the event of the other call came before
		collectgarbage()
		collectgarbage()
		assert.is_nil(next(weak))
	end))

	it("leaves the main chunk's status alone under the launcher", function()
		local result = process.command(process.root .. "/bin/silly script.lua", [[]], "LUA=" .. process.lua)
		assert.are_not.equal(0, result.status) -- there is no such script yet
		process.write("script.lua", [[
			local task, time = require "silly.task", require "silly.time"
			task.fork(function(main) print(task.cancel(main)) end, task.running())
			time.sleep(60000)
			print "went on"
		]])
		result = process.command(process.root .. "/bin/silly script.lua", nil, "LUA=" .. process.lua)
		assert.same({ status = 0, out = "true\n", err = "" }, result)
	end)
end)

describe("task.inspect", function()
	before_each(node.before)
	after_each(node.after)

	it("says what each waiting task waits for", async(function()
		local mutex, channel = require "silly.sync.mutex", require "silly.sync.channel"
		local waitgroup = require "silly.sync.waitgroup"
		node.serve { call = function()
			task.wait()
		end }
		local peer = node.pair()
		local lock, pipe, group = mutex.new(), channel.new(), waitgroup.new()
		local guard = lock:lock("key")
		local member = group:fork(task.wait)
		local waits = {
			["silly.task"] = task.wait,
			["silly.time"] = function() time.sleep(60000) end,
			["silly.net.cluster"] = function() cluster.call(peer, 1, "x") end,
			["silly.sync.mutex"] = function() lock:lock("key") end,
			["silly.sync.channel"] = function() pipe:pop() end,
			["silly.sync.waitgroup"] = function() group:wait() end,
		}
		local threads = {}
		for name, wait in pairs(waits) do
			threads[name] = begun(wait)
		end
		local ready = task.fork(function() end)
		local all = task.inspect()
		for name, thread in pairs(threads) do
			assert.equal(name, all[thread].waits)
			assert.matches("cancel_spec", all[thread].traceback)
		end
		assert.equal("silly.task", all[member].waits)
		assert.is_nil(all[ready].waits)
		assert.is_nil(all[task.running()].waits)
		guard:unlock()
		assert.is_nil(task.inspect()[threads["silly.sync.mutex"]].waits)
		for _, thread in pairs(threads) do
			assert.is_true(task.cancel(thread))
		end
		assert.is_true(task.cancel(member))
	end))
end)
