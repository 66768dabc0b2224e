--- Coroutines of the script's own within a task, and everything else that can stand between a task
--- and what waits in it.

local task = require "silly.task"
local time = require "silly.time"
local cluster = require "silly.net.cluster"
local mutex = require "silly.sync.mutex"
local channel = require "silly.sync.channel"
local waitgroup = require "silly.sync.waitgroup"
local node = require "spec.support.node"

local PLAIN_51 = _VERSION == "Lua 5.1" and not rawget(_G, "jit")

describe("in a coroutine of the script's own", function()
	local peer, listener

	--- Demands that the task can wait as if nothing had been, and is told only what is its own.
	local function undisturbed()
		assert.equal("RUN", task.status(task.running()))
		local began = time.monotonic()
		time.sleep(10)
		assert.is_true(time.monotonic() - began >= 10)
		for index = 1, 3 do
			assert.equal("r:" .. index, (cluster.call(peer, 1, tostring(index))))
		end
		task.fork(task.wakeup, task.running())
		task.wait()
	end

	before_each(node.before)
	before_each(async(function()
		peer, listener = node.pair()
	end))
	after_each(node.after)

	--- What each function that waits is called with there.
	local WAITS = {
		["cluster.call"] = function() cluster.call(peer, 1, "x") end,
		["cluster.send"] = function() cluster.send(peer, 1, "x") end,
		["cluster.connect"] = function() cluster.connect(listener.addr, { shared = false }) end,
		["time.sleep"] = function() time.sleep(0) end,
		["task.wait"] = function() task.wait() end,
		["mutex:lock"] = function() mutex.new():lock("key") end,
		["channel:pop"] = function() channel.new():pop() end,
		["waitgroup:wait"] = function()
			local group = waitgroup.new()
			local member = group:fork(task.wait)
			local ok, problem = pcall(group.wait, group)
			task.cancel(member)
			assert(ok, problem)
		end,
	}

	for name, wait in pairs(WAITS) do
		local function refused(problem)
			assert.matches(name .. " cannot wait inside a coroutine of the script's own; "
				.. "call it from the task itself", problem, 1, true)
			undisturbed()
		end

		it(name .. " raises, and the task around it is undisturbed", async(function()
			local thread = coroutine.create(wait)
			local ok, problem = coroutine.resume(thread)
			assert.is_false(ok)
			assert.equal("dead", coroutine.status(thread))
			refused(problem)
		end))

		it(name .. " raises in a generator, between two of its values", async(function()
			local seen = {}
			local generate = coroutine.wrap(function()
				coroutine.yield("before")
				local _, problem = pcall(wait)
				coroutine.yield(problem)
				coroutine.yield("after")
			end)
			for value in generate do
				seen[#seen + 1] = value
			end
			assert.equal(3, #seen)
			assert.equal("before", seen[1])
			refused(seen[2])
			assert.equal("after", seen[3])
		end))
	end

	it("a generator goes on while its task waits between the values, with others around", async(function()
		local sums = node.crowd(5, function(number)
			local sum = 0
			for value in coroutine.wrap(function()
				for value = 1, 10 do
					coroutine.yield(value)
				end
			end) do
				assert.equal("r:" .. value, (cluster.call(peer, 1, tostring(value))))
				time.sleep(value % 2)
				sum = sum + value * number
			end
			return sum
		end)
		assert.same({ { 55 }, { 110 }, { 165 }, { 220 }, { 275 } }, sums)
	end))

	it("what needs no waiting works: forks, wakeups, pushes, timers", async(function()
		local pipe, seen = channel.new(), {}
		local waiter = task.fork(function()
			seen[#seen + 1] = task.wait()
			seen[#seen + 1] = pipe:pop()
		end)
		time.sleep(0)
		coroutine.wrap(function()
			task.wakeup(waiter, "woken")
			pipe:push("pushed")
			time.after(0, function()
				seen[#seen + 1] = "timer"
			end)
			task.fork(function()
				seen[#seen + 1] = "forked"
			end)
		end)()
		time.sleep(5)
		assert.same({ "woken", "pushed", "forked", "timer" }, seen)
	end))

	it("a task may be woken or cancelled from there, only not the one around it", async(function()
		local parked = task.fork(task.wait)
		time.sleep(0)
		coroutine.wrap(function()
			assert.is_true(task.cancel(parked))
			assert.error_matches(function()
				task.wakeup(task.running())
			end, "BUG: wakeup on task stat:RUN")
		end)()
		undisturbed()
	end))
end)

describe("between a task and a call that waits", function()
	local peer

	before_each(node.before)
	before_each(async(function()
		peer = node.pair()
	end))
	after_each(node.after)

	local function ask()
		local answer = assert(cluster.call(peer, 1, "x"))
		time.sleep(1)
		return answer
	end

	--- Each returns what `ask` returns, through something that is not a plain Lua call.
	local between = {
		pcall = function()
			local ok, answer = pcall(ask)
			return ok and answer or error(answer, 0)
		end,
		xpcall = function()
			local ok, answer = xpcall(ask, tostring)
			return ok and answer or error(answer, 0)
		end,
		["a failing pcall"] = function()
			local answer
			local ok, problem = pcall(function()
				answer = ask()
				error("after the answer", 0)
			end)
			assert.is_false(ok)
			return problem == "after the answer" and answer or error(problem, 0)
		end,
		["a generic for"] = function()
			local answers = {}
			for answer in function(_, last) return not last and ask() or nil end do
				answers[#answers + 1] = answer
			end
			return answers[1]
		end,
	}
	for event, use in pairs {
		__index = function(object) return object.field end,
		__newindex = function(object, holder) object.field = 1 return holder.answer end,
		__call = function(object) return object() end,
		__add = function(object) return object + 1 end,
		__unm = function(object) return -object end,
		__concat = function(object) return object .. "" end,
		__eq = function(object, holder)
			local other = setmetatable({}, getmetatable(object))
			return object == other and holder.answer
		end,
		__lt = function(object, holder)
			local other = setmetatable({}, getmetatable(object))
			return object < other and holder.answer
		end,
	} do
		between[event] = function()
			local holder = {}
			return use(setmetatable({}, { [event] = function()
				holder.answer = ask()
				return holder.answer
			end }), holder)
		end
	end


	for name, use in pairs(between) do
		if PLAIN_51 and name ~= "__call" then -- which is one Lua function calling another
			it(name .. " lets nothing wait in 5.1, says so, and leaves everything whole", async(function()
				for _ = 1, 3 do
					local ok, problem = pcall(use)
					assert.is_false(ok)
					assert.matches("cluster.call cannot wait here: a C function", problem, 1, true)
					assert.equal("RUN", task.status(task.running()))
				end
				local began = time.monotonic()
				time.sleep(10)
				assert.is_true(time.monotonic() - began >= 10)
				assert.equal("r:x", ask())
			end))
		else
			it(name .. " lets it wait", async(function()
				for _, result in ipairs(node.crowd(3, use)) do
					assert.equal("r:x", result[1])
				end
			end))
		end
	end

	it("a comparison of table.sort lets nothing wait, anywhere, and says so", async(function()
		local ok, problem = pcall(table.sort, { 2, 1 }, function(one, other)
			ask()
			return one < other
		end)
		assert.is_false(ok)
		assert.matches(_VERSION ~= "Lua 5.2" and "cluster.call cannot wait here: a C function"
			or "attempt to yield across", problem)
		assert.equal("r:x", ask())
	end))
end)
