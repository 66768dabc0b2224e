local task = require "silly.task"
local time = require "silly.time"
local log = require "spec.support.log"
local mutex = require "silly.sync.mutex"

describe("silly.sync.mutex", function()
	-- Tasks fail on purpose here.
	before_each(log.capture)
	after_each(log.release)

	it("T15: is handed on in the order in which tasks came", async(function()
		local lock = mutex.new()
		local order = {}
		local held = lock:lock("key")
		for number = 1, 4 do
			task.fork(function()
				local guard = lock:lock("key")
				order[#order + 1] = number
				time.sleep(1)
				guard:unlock()
			end)
		end
		time.sleep(0)
		held:unlock()
		task.fork(function()
			local guard = lock:lock("key")
			order[#order + 1] = 5
			guard:unlock()
		end)
		while #order < 5 do
			time.sleep(1)
		end
		assert.same({ 1, 2, 3, 4, 5 }, order)
	end))

	it("T16: whoever locks again at once queues behind those that waited", async(function()
		local lock = mutex.new()
		local order = {}
		local guard = lock:lock("key")
		task.fork(function()
			local mine = lock:lock("key")
			order[#order + 1] = "waiter"
			mine:unlock()
		end)
		time.sleep(0)
		guard:unlock()
		guard = lock:lock("key")
		order[#order + 1] = "again"
		guard:unlock()
		assert.same({ "waiter", "again" }, order)
	end))

	it("T17: is reentrant, and free once every guard is released", async(function()
		local lock = mutex.new()
		local first, second = lock:lock("key"), lock:lock("key")
		local got = false
		task.fork(function()
			lock:lock("key"):unlock()
			got = true
		end)
		first:unlock()
		first:unlock()
		time.sleep(0)
		assert.is_false(got)
		second:unlock()
		time.sleep(0)
		assert.is_true(got)
	end))

	it("T7: is freed when a task dies with a guard to be closed", async(function()
		if _VERSION < "Lua 5.4" then
			return -- no to-be-closed variables: see the next one
		end
		local lock = mutex.new()
		local body = load([[
			local lock = ...
			local guard <close> = lock:lock("key")
			error("boom")
		]])
		task.fork(body, lock)
		time.sleep(0)
		lock:lock("key"):unlock()
	end))

	-- A plain guard is found by a collection only, and in an idle process there is none by itself.
	local ends = {
		["returns"] = function() end,
		["fails"] = function()
			error("boom")
		end,
		["is cancelled"] = function()
			task.wait()
		end,
	}
	for how, finish in pairs(ends) do
		-- Before 5.4 a task that failed keeps what it held as long as its thread is kept: only whoever
		-- wants to cancel it keeps that.
		local function hold(lock)
			local holder = task.fork(function()
				local guard = lock:lock("key")
				time.sleep(0)
				finish()
				return guard
			end)
			holder = how == "is cancelled" and holder or nil
			time.sleep(0)
			return holder
		end

		local function finish_off(holder)
			time.sleep(0)
			if holder then
				assert.is_true(task.cancel(holder))
			end
		end

		local function comes_to_its_turn(lock)
			local got = false
			task.fork(function()
				lock:lock("key"):unlock()
				got = true
			end)
			return function()
				time.sleep(0)
				time.sleep(0)
				return got
			end
		end

		it("is freed for whoever waits when a task " .. how .. " with a plain guard", async(function()
			local lock = mutex.new()
			local holder = hold(lock)
			local has_come = comes_to_its_turn(lock)
			finish_off(holder)
			holder = nil -- luacheck: ignore
			assert.is_true(has_come())
			assert.is_nil(next(lock.locks))
		end))

		it("is freed for whoever comes after a task that " .. how .. " with a plain guard", async(function()
			local lock = mutex.new()
			finish_off(hold(lock))
			assert.is_true(comes_to_its_turn(lock)())
			assert.is_nil(next(lock.locks))
		end))
	end

	it("stays held by a guard that was given to another task", async(function()
		local lock = mutex.new()
		local guard
		task.fork(function()
			guard = lock:lock("key")
		end)
		time.sleep(0)
		local got = 0
		for _ = 1, 2 do
			task.fork(function()
				lock:lock("key"):unlock()
				got = got + 1
			end)
		end
		time.sleep(0)
		assert.equal(0, got)
		guard:unlock()
		time.sleep(0)
		assert.equal(2, got)
	end))

	it("wants its methods called with a colon", async(function()
		local lock = mutex.new()
		assert.error_matches(function()
			lock.lock("key")
		end, "mutex:lock: the first argument must be a mutex, as in m:lock%(key%), got string \"key\"")
		local guard = lock:lock("key")
		assert.error_matches(function()
			guard.unlock()
		end, "guard:unlock: the first argument must be a guard of mutex:lock, got nil")
	end))

	it("is freed at once when a task is cancelled with a guard to be closed", async(function()
		local body = (loadstring or load) [[ -- luacheck: ignore
			local lock, wait = (...)[1], (...)[2]
			local guard <close> = lock:lock("key")
			wait()
		]]
		if not body then
			return -- no such variables in this Lua: see above
		end
		local lock = mutex.new()
		local holder = task.fork(body, { lock, task.wait })
		local got = false
		task.fork(function()
			lock:lock("key"):unlock()
			got = true
		end)
		time.sleep(0)
		assert.is_true(task.cancel(holder))
		time.sleep(0)
		assert.is_true(got)
	end))

	--- So many tasks that wait for a key, and what notes who has got it.
	local function waiters(lock, count)
		local threads, order = {}, {}
		for number = 1, count do
			threads[number] = task.fork(function()
				local guard = lock:lock("key")
				order[#order + 1] = number
				guard:unlock()
			end)
		end
		time.sleep(0)
		return threads, order
	end

	it("passes over tasks that were cancelled while they waited", async(function()
		local lock = mutex.new()
		local held = lock:lock("key")
		local threads, order = waiters(lock, 6)
		for _, number in ipairs { 1, 3, 6 } do
			assert.is_true(task.cancel(threads[number]))
		end
		held:unlock()
		time.sleep(0)
		assert.same({ 2, 4, 5 }, order)
		assert.is_nil(next(lock.locks))
	end))

	it("passes over a task whose coroutine was closed or resumed from outside", async(function()
		local lock = mutex.new()
		local held = lock:lock("key")
		local threads, order = waiters(lock, 3)
		if coroutine.close then
			assert(coroutine.close(threads[1]))
		else
			assert.is_false((coroutine.resume(threads[1]))) -- it cannot wait there, and fails
		end
		assert.is_false((coroutine.resume(threads[2])))
		held:unlock()
		time.sleep(0)
		assert.same({ 3 }, order)
		assert.is_nil(next(lock.locks))
	end))

	it("is handed on by a task that was cancelled before it could take it", async(function()
		local lock = mutex.new()
		local held = lock:lock("key")
		local threads, order = waiters(lock, 4)
		held:unlock()
		assert.equal("READY", task.status(threads[1]))
		assert.is_true(task.cancel(threads[1]))
		assert.equal("READY", task.status(threads[2]))
		assert.is_true(task.cancel(threads[2]))
		time.sleep(0)
		assert.same({ 3, 4 }, order)
		held = lock:lock("key")
		threads = waiters(lock, 1)
		held:unlock()
		assert.is_true(task.cancel(threads[1]))
		assert.is_nil(next(lock.locks))
	end))

	it("is not had by a task that is woken from elsewhere", async(function()
		local lock = mutex.new()
		local held = lock:lock("key")
		local threads, order = waiters(lock, 2)
		task.wakeup(threads[2], "not the key")
		time.sleep(0)
		assert.same({}, order)
		assert.equal("WAIT", task.status(threads[2]))
		task.wakeup(threads[1])
		held:unlock() -- to the first, which is ready already
		time.sleep(0)
		assert.same({ 1, 2 }, order)
	end))

	it("does not take a later task on the same coroutine for the one that holds it", async(function()
		local lock = mutex.new()
		local guard
		local first = task.fork(function()
			guard = lock:lock("key")
		end)
		time.sleep(0)
		local got = false
		local second = task.fork(function()
			lock:lock("key"):unlock()
			got = true
		end)
		assert.equal(first, second)
		time.sleep(0)
		assert.is_false(got)
		guard:unlock()
		time.sleep(0)
		assert.is_true(got)
	end))

	it("hands on to a thousand waiters in their order", async(function()
		local lock = mutex.new()
		local held = lock:lock("key")
		local _, order = waiters(lock, 1000)
		held:unlock()
		time.sleep(0)
		assert.equal(1000, #order)
		for number = 1, 1000 do
			assert(order[number] == number)
		end
	end))

	it("keeps keys, and mutexes, apart", async(function()
		local one, other = mutex.new(), mutex.new()
		local guards = { one:lock("a"), one:lock("b"), other:lock("a") }
		assert.equal(3, #guards)
		for _, guard in ipairs(guards) do
			guard:unlock()
		end
		assert.is_nil(next(one.locks))
	end))

	it("refuses nil as a key", async(function()
		assert.error_matches(function()
			mutex.new():lock(nil)
		end, "mutex:lock: the key must not be nil")
	end))
end)
