local task = require "silly.task"
local time = require "silly.time"
local silly = require "silly"
local log = require "spec.support.log"
local echo = require "spec.support.echo"

--- Waits in steps until something is so; the test's own limit ends what never is.
local function await(condition)
	while not condition() do
		time.sleep(1)
	end
end

describe("time.now and time.monotonic", function()
	it("are whole milliseconds that move by themselves", function()
		local wall, tick = time.now(), time.monotonic()
		assert.is_true(math.abs(wall / 1000 - os.time()) < 2)
		assert.equal(0, wall % 1)
		assert.equal(0, tick % 1)
		repeat
			local now = time.monotonic()
			assert.is_true(now >= tick)
		until now > tick + 2
		assert.is_true(time.now() > wall)
	end)
end)

describe("time.sleep", function()
	it("returns nothing, and lets others run even for 0", async(function()
		local ran = false
		task.fork(function()
			ran = true
		end)
		assert.equal(0, select("#", time.sleep(0)))
		assert.is_true(ran)
	end))

	it("T13: ends in the order of the deadlines", async(function()
		local ended = {}
		-- Further apart than the beginnings of three tasks can be, also on a busy machine.
		for _, ms in ipairs { 150, 50, 100 } do
			task.fork(function()
				time.sleep(ms)
				ended[#ended + 1] = ms
			end)
		end
		await(function()
			return #ended == 3
		end)
		assert.same({ 50, 100, 150 }, ended)
	end))

	it("is never early, and within 5 ms at best", async(function()
		local least = math.huge
		for _ = 1, 5 do
			for _, ms in ipairs { 0, 1, 2, 3, 7, 16 } do
				local began = time.monotonic()
				time.sleep(ms)
				local took = time.monotonic() - began
				assert.is_true(took >= ms, took .. " instead of " .. ms)
				least = math.min(least, took - ms)
			end
		end
		assert.is_true(least <= 5, "late by " .. least)
	end))

	it("takes numeric strings and counts negative times as 0", async(function()
		local began = time.monotonic()
		time.sleep("2")
		assert.is_true(time.monotonic() - began >= 2)
		time.sleep(-5)
		time.sleep(-100 * 365 * 24 * 3600 * 1000)
		assert.is_true(time.monotonic() - began < 5000)
	end))

	it("refuses what is no whole number, at the caller's line", async(function()
		for _, wrong in ipairs { 1.5, "x", {}, 0 / 0, math.huge, 1e300, false } do
			local ok, problem = pcall(function()
				time.sleep(wrong)
			end)
			assert.is_false(ok)
			assert.matches("time_spec%.lua:%d+: time%.sleep: the time in milliseconds must be ", problem)
		end
		assert.is_false((pcall(time.sleep)))
	end))

	it("raises outside a task and names task.fork", function()
		local ok, problem = pcall(time.sleep, 1)
		assert.is_false(ok)
		assert.matches("time.sleep must run in a task: wrap it in task.fork", problem, 1, true)
	end)

	it("of many tasks at once ends for each of them", async(function()
		local left = 2000
		for index = 1, left do
			task.fork(function()
				time.sleep(index % 20)
				left = left - 1
			end)
		end
		await(function()
			return left == 0
		end)
	end))
end)

describe("time.after", function()
	it("T10: gives the callback its argument, or the session in place of none or false", async(function()
		local got, sessions = {}, {}
		for index, argument in ipairs { false, "U" } do
			sessions[index] = time.after(1, function(...)
				got[index] = { select("#", ...), (...) }
			end, argument)
		end
		sessions[3] = time.after(1, function(...)
			got[3] = { select("#", ...), (...) }
		end)
		await(function()
			return got[1] and got[2] and got[3]
		end)
		for index = 1, 3 do
			assert.equal(1, got[index][1])
		end
		assert.equal(sessions[1], got[1][2])
		assert.equal("U", got[2][2])
		assert.equal(sessions[3], got[3][2])
	end))

	it("runs the callback as a task of its own, after everything ready", async(function()
		local seen, current = {}, task.running()
		time.after(0, function()
			seen[#seen + 1] = "timer"
			assert.are_not.equal(current, task.running())
			time.sleep(1)
			seen[#seen + 1] = "slept"
		end)
		task.fork(function()
			seen[#seen + 1] = "fork"
		end)
		await(function()
			return #seen == 3
		end)
		assert.same({ "fork", "timer", "slept" }, seen)
	end))

	it("works outside a task", function()
		local fired = false
		time.after(0, function()
			fired = true
		end)
		for _ = 1, 100 do
			silly.step(10)
			if fired then
				break
			end
		end
		assert.is_true(fired)
	end)

	it("gives each pending timer a session of its own", async(function()
		local known = {}
		for _ = 1, 100 do
			local session = time.after(1000, function() end)
			assert.equal(0, session % 1)
			assert.is_nil(known[session])
			known[session] = true
		end
		for session in pairs(known) do
			time.cancel(session)
		end
	end))

	it("fires at once for a negative time, and not this year for a century", async(function()
		local fired = {}
		time.after(-1, function()
			fired[#fired + 1] = "negative"
		end)
		local century = 100 * 365 * 24 * 3600 * 1000
		local session = time.after(century, function()
			fired[#fired + 1] = "century"
		end)
		time.sleep(10)
		assert.same({ "negative" }, fired)
		time.cancel(session)
		local ok, problem = pcall(time.after, century + 1, function() end)
		assert.is_false(ok)
		assert.matches("must be between", problem)
	end))

	it("refuses a wrong time or callback, at the caller's line", async(function()
		local ok, problem = pcall(function()
			time.after(1, 5) -- luacheck: ignore
		end)
		assert.is_false(ok)
		assert.matches("time_spec%.lua:%d+: time%.after: the callback must be a function, got number 5", problem)
		ok, problem = pcall(function()
			time.after("soon", function() end)
		end)
		assert.is_false(ok)
		assert.matches("time_spec%.lua:%d+: time%.after: the time in milliseconds", problem)
	end))

	it("logs a callback's error and goes on", async(function()
		local ending, fired = log.capture(), false
		time.after(0, function()
			error "in a timer"
		end)
		time.after(1, function()
			fired = true
		end)
		await(function()
			return fired
		end)
		assert.matches("in a timer", ending())
	end))
end)

describe("time.cancel", function()
	it("T11: takes a pending timer back, and anything else is no mistake", async(function()
		local fired = 0
		local function count()
			fired = fired + 1
		end
		local session = time.after(5, count)
		assert.equal(0, select("#", time.cancel(session)))
		time.cancel(session)
		time.cancel(nil)
		time.cancel("nonsense")
		time.cancel(12345678)
		time.cancel(-1)
		time.cancel(0.5)
		time.cancel(0 / 0)
		local own
		own = time.after(1, function(given)
			assert.equal(own, given)
			time.cancel(given)
			count()
		end)
		time.sleep(20)
		assert.equal(1, fired)
		time.cancel(own)
	end))

	it("T12: suppresses a timer that is due but has not begun", async(function()
		local fired = false
		local session = time.after(1, function()
			fired = true
		end)
		local first = time.after(1, function(_)
			time.cancel(session) -- fires in the same turn as the other one, or later
		end)
		local began = time.monotonic()
		repeat until time.monotonic() - began >= 5
		time.cancel(session)
		time.sleep(5)
		assert.is_false(fired)
		time.cancel(first)
	end))

	it("suppresses one that fired in the same turn", async(function()
		local sessions, fired = {}, 0
		for index = 1, 2 do
			sessions[index] = time.after(2, function()
				fired = fired + 1
				time.cancel(sessions[3 - index])
			end)
		end
		local began = time.monotonic()
		repeat until time.monotonic() - began >= 6
		time.sleep(10)
		assert.equal(1, fired)
	end))

	it("never wakes or loses a task that sleeps", async(function()
		local slept = false
		task.fork(function()
			time.sleep(10)
			slept = true
		end)
		time.sleep(0)
		local session = time.after(1000, function() end)
		for number = session - 1000, session do
			time.cancel(number) -- the sleeper's number is one of these
		end
		for slot = 0, 100 do
			for serial = session % 2 ^ 26 - 10, session % 2 ^ 26 do
				time.cancel(slot * 2 ^ 26 + serial)
			end
		end
		assert.is_false(slept)
		time.sleep(20)
		assert.is_true(slept)
	end))

	it("leaves a session dead when its place is used again", async(function()
		local fired = false
		local old = time.after(1000, function() end)
		time.cancel(old)
		local new = time.after(1, function()
			fired = true
		end)
		assert.are_not.equal(old, new)
		time.cancel(old)
		await(function()
			return fired
		end)
	end))
end)

describe("many timers", function()
	it("that are always due do not starve the sockets", async(function()
		local node = echo.open()
		local running, stopped = true, 0
		for _ = 1, 2 do
			task.fork(function()
				while running do
					time.sleep(1)
					local began = time.monotonic()
					repeat until time.monotonic() - began > 3
				end
				stopped = stopped + 1
			end)
		end
		time.sleep(20)
		local answer = node.ask("hi")
		running = false
		assert.equal("hi", answer)
		await(function()
			return stopped == 2
		end)
		node.close()
	end))

	it("pending cost one more at most twice as much as few do", async(function()
		local callback = function() end
		local function measure()
			local costs = {}
			for round = 1, 21 do
				local fired, began = 0, os.clock()
				for _ = 1, 300 do
					time.after(0, function()
						fired = fired + 1
					end)
				end
				await(function()
					return fired == 300
				end)
				costs[round] = os.clock() - began
			end
			table.sort(costs)
			return costs[11]
		end
		local sessions = {}
		local function hold(count)
			for index = #sessions + 1, count do
				sessions[index] = time.after(3600000 + index, callback)
			end
		end
		hold(100)
		measure()
		local few = measure()
		hold(100000)
		local many = measure()
		for _, session in ipairs(sessions) do
			time.cancel(session)
		end
		assert.is_true(many <= 2 * few, ("%.1f us with 100, %.1f us with 100,000"):format(
			few / 300 * 1e6, many / 300 * 1e6))
		if os.getenv("SILLY_MEASURE") then
			print(("timers: %.2f us with 100, %.2f us with 100,000"):format(few / 300 * 1e6, many / 300 * 1e6))
		end
	end))
end)
