local silly = require "silly"
local task = require "silly.task"
local time = require "silly.time"
local log = require "spec.support.log"
local echo = require "spec.support.echo"

local can_probe = _VERSION ~= "Lua 5.2"

describe("silly.task: the ready queue", function()
	local function notes()
		local list = {}
		return list, function(name)
			return function()
				list[#list + 1] = name
			end
		end
	end

	it("T1: runs forks in their order, and what they fork after all of them", async(function()
		local list, note = notes()
		task.fork(function()
			note("f1")()
			task.fork(note("f1a"))
		end)
		task.fork(note("f2"))
		task.fork(note("f3"))
		note("main")()
		time.sleep(0)
		assert.same({ "main", "f1", "f2", "f3", "f1a" }, list)
	end))

	it("T2: is one queue for forked and woken tasks", async(function()
		local list, note = notes()
		local waiter = task.fork(function()
			task.wait()
			note("w")()
		end)
		time.sleep(0)
		task.fork(function()
			note("f1")()
			task.fork(note("f1a"))
		end)
		task.wakeup(waiter)
		task.fork(note("f2"))
		time.sleep(0)
		assert.same({ "f1", "w", "f2", "f1a" }, list)
	end))

	it("T5: is empty before a sleep(0) ends", async(function()
		local list, note = notes()
		for index = 1, 3 do
			task.fork(function()
				note(index)()
				time.sleep(0)
				note("again")()
			end)
		end
		time.sleep(0)
		time.sleep(1)
		assert.same({ 1, 2, 3, "again", "again", "again" }, list)
	end))

	it("counts what is ready", async(function()
		for _ = 1, 3 do
			task.fork(function() end)
		end
		assert.equal(3, task.taskstat())
		assert.equal(task.taskstat, task.readycount)
		time.sleep(0)
		assert.equal(0, task.taskstat())
	end))

	it("moves sockets and timers though it is never empty", async(function()
		local node = echo.open()
		local running, turns = true, 0
		local function again()
			turns = turns + 1
			if running then
				task.fork(again)
			end
		end
		again()
		assert.equal("hi", (node.ask("hi")))
		time.sleep(5)
		assert.is_true(turns > 1000)
		running = false
		node.close()
	end))
end)

describe("task.fork", function()
	it("T4: gives the function exactly one argument, false and nil included", async(function()
		local seen = {}
		local function note(...)
			seen[#seen + 1] = { select("#", ...), (...) }
		end
		task.fork(note, 7)
		task.fork(note)
		task.fork(note, false)
		task.fork(note, 1, 2) -- luacheck: ignore
		time.sleep(0)
		for index = 1, 4 do
			assert.equal(1, seen[index][1])
		end
		assert.equal(7, seen[1][2])
		assert.is_nil(seen[2][2])
		assert.is_false(seen[3][2])
		assert.equal(1, seen[4][2])
	end))

	it("returns a thread and never runs the function at once", async(function()
		local ran = false
		local thread = task.fork(function()
			ran = true
		end)
		assert.equal("thread", type(thread))
		assert.is_false(ran)
		time.sleep(0)
		assert.is_true(ran)
	end))

	it("refuses what is no function, at the caller's line", function()
		local ok, problem = pcall(task.fork, 5)
		assert.is_false(ok)
		assert.matches("task.fork: the first argument must be a function, got number 5", problem, 1, true)
		ok, problem = pcall(function()
			task.fork(nil) -- luacheck: ignore
		end)
		assert.is_false(ok)
		assert.matches("task_spec%.lua:%d+:", problem)
	end)

	it("works outside a task", function()
		local ran
		task.fork(function()
			ran = true
		end)
		silly.step(0)
		assert.is_true(ran)
	end)
end)

describe("task.wakeup", function()
	it("hands over one value, false and nil included", async(function()
		local got = {}
		for index, value in ipairs { "text", false } do
			local thread = task.fork(function()
				got[index] = { task.wait() }
			end)
			time.sleep(0)
			task.wakeup(thread, value, "extra") -- luacheck: ignore
			time.sleep(0)
		end
		local count
		local thread = task.fork(function()
			count = select("#", task.wait())
		end)
		time.sleep(0)
		assert.equal(0, select("#", task.wakeup(thread)))
		time.sleep(0)
		assert.same({ { "text" }, { false } }, got)
		assert.equal(1, count)
	end))

	it("does not run the task at once", async(function()
		local woken = false
		local thread = task.fork(function()
			task.wait()
			woken = true
		end)
		time.sleep(0)
		task.wakeup(thread)
		assert.is_false(woken)
		assert.equal("READY", task.status(thread))
		time.sleep(0)
		assert.is_true(woken)
	end))

	it("T3: raises for a task that does not wait, and changes nothing", async(function()
		local function refusal(thread)
			local ok, problem = pcall(task.wakeup, thread)
			assert.is_false(ok)
			return problem:match("BUG: wakeup on task stat:(%w+)")
		end
		local rounds = 0
		local thread = task.fork(function()
			task.wait()
			rounds = rounds + 1
		end)
		assert.equal("READY", refusal(thread))
		time.sleep(0)
		task.wakeup(thread)
		assert.equal("READY", refusal(thread))
		time.sleep(0)
		assert.equal(1, rounds)
		assert.equal("nil", refusal(thread))
		assert.equal("nil", refusal(nil))
		assert.equal("nil", refusal(coroutine.create(function() end)))
		assert.equal("RUN", refusal(task.running()))
		local slept = false
		local sleeper = task.fork(function()
			time.sleep(5)
			slept = true
		end)
		time.sleep(0)
		assert.equal("RUN", refusal(sleeper))
		assert.is_false(slept)
		time.sleep(10)
		assert.is_true(slept)
	end))
end)

describe("task.wait", function()
	it("raises outside a task and names task.fork", function()
		local ok, problem = pcall(task.wait)
		assert.is_false(ok)
		assert.matches("task.wait must run in a task: wrap it in task.fork", problem, 1, true)
	end)

	it("raises in a coroutine of the script's own and leaves the task whole", async(function()
		local ok, problem = coroutine.resume(coroutine.create(function()
			task.wait()
		end))
		assert.is_false(ok)
		assert.matches("task.wait cannot wait inside a coroutine of the script's own", problem, 1, true)
		assert.equal("RUN", task.status(task.running()))
		time.sleep(0)
	end))

	it("raises under a C function, and nothing wakes the task later", async(function()
		for _, wait in ipairs { task.wait, function() time.sleep(1) end } do
			local ok, problem = pcall(string.gsub, "x", "x", function()
				wait()
			end)
			assert.is_false(ok)
			assert.matches(can_probe and "cannot wait here: a C function" or "attempt to yield", problem)
			assert.equal("RUN", task.status(task.running()))
		end
		local began = time.monotonic()
		time.sleep(20)
		assert.is_true(time.monotonic() - began >= 20)
	end))
end)

describe("task.running and task.status", function()
	it("name the enclosing task inside a coroutine of the script's own", async(function()
		local current = task.running()
		assert.equal(coroutine.running(), current)
		coroutine.wrap(function()
			assert.equal(current, task.running())
			assert.are_not.equal(coroutine.running(), task.running())
		end)()
	end))

	it("give the main thread outside a task", function()
		assert.equal((coroutine.running()), task.running())
	end)

	it("say READY, RUN, WAIT, and nil at the end", async(function()
		local seen
		local thread = task.fork(function()
			seen = task.status(task.running())
			time.sleep(1)
			task.wait()
		end)
		assert.equal("READY", task.status(thread))
		time.sleep(0)
		assert.equal("RUN", seen)
		assert.equal("RUN", task.status(thread)) -- asleep
		time.sleep(10)
		assert.equal("WAIT", task.status(thread))
		task.wakeup(thread)
		assert.equal("READY", task.status(thread))
		time.sleep(0)
		assert.is_nil(task.status(thread))
		assert.is_nil(task.status(nil))
	end))

	it("show all tasks with their tracebacks", async(function()
		local thread = task.fork(function()
			task.wait()
		end)
		time.sleep(0)
		local all = task.tasks()
		assert.equal("WAIT", all[thread].status)
		assert.matches("task_spec", all[thread].traceback)
		assert.equal("RUN", all[task.running()].status)
		assert.equal(task.tasks, task.inspect)
		task.wakeup(thread)
		time.sleep(0)
		assert.is_nil(task.tasks()[thread])
	end))
end)

describe("a plain coroutine.yield", function()
	it("parks a task until a wakeup answers it", async(function()
		local got
		local thread = task.fork(function()
			got = coroutine.yield("nobody sees this")
		end)
		time.sleep(0)
		assert.equal("WAIT", task.status(thread))
		task.wakeup(thread, "answer")
		time.sleep(0)
		assert.equal("answer", got)
	end))

	it("goes to its own resumer inside a coroutine of the script's own", async(function()
		local generate = coroutine.wrap(function()
			for index = 1, 3 do
				coroutine.yield(index)
			end
		end)
		local sum = 0
		for value in generate do
			sum = sum + value
			time.sleep(0)
		end
		assert.equal(6, sum)
	end))
end)

describe("an error in a task", function()
	it("T6: is logged with its traceback and costs only that task", async(function()
		local ending = log.capture()
		local threads, after = {}, false
		for _, problem in ipairs { "boom", { 1 }, setmetatable({}, { __tostring = error }) } do
			threads[#threads + 1] = task.fork(function()
				error(problem)
			end)
		end
		threads[#threads + 1] = task.fork(function()
			error()
		end)
		task.fork(function()
			after = true
		end)
		time.sleep(0)
		local text = ending()
		assert.is_true(after)
		assert.matches("E %[silly%] task failed: [^\n]*boom\nstack traceback:.*task_spec", text)
		assert.matches("task failed: table: ", text, 1, true)
		assert.matches("task failed: (an error object whose tostring fails)", text, 1, true)
		-- 5.5 has a text in its place.
		assert.matches("task failed: " .. tostring(select(2, pcall(error))), text, 1, true)
		for _, thread in ipairs(threads) do
			assert.is_nil(task.status(thread))
		end
	end))

	it("T7: closes the task's pending variables", async(function()
		local compile = loadstring or load -- luacheck: ignore
		local body = compile "local guard <close> = ... ; error 'dies'"
		if not body then
			return -- no such variables in this Lua
		end
		local ending, closed = log.capture(), false
		task.fork(body, setmetatable({}, { __close = function() closed = true end }))
		time.sleep(0)
		assert.matches("dies", ending())
		assert.is_true(closed)
	end))
end)

if _VERSION ~= "Lua 5.1" or rawget(_G, "jit") then
	it("a task waits through pcall and xpcall", async(function()
		assert.same({ true, "inside" }, { pcall(function()
			time.sleep(1)
			return "inside"
		end) })
		assert.same({ false, "handled" }, { xpcall(function()
			time.sleep(1)
			error "x"
		end, function()
			return "handled"
		end) })
		assert.is_true((silly.pcall(time.sleep, 1)))
	end))
end
