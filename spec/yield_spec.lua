--- C functions that yield within tasks, however the loop was started. LuaJIT crashes on them where it
--- believes that a hook is running.

local process = require "spec.support.shell"

teardown(process.clean)

describe("a C function that yields", function()
	local built, problem

	setup(function()
		built, problem = process.yielder()
	end)

	local WAYS = {
		["lua script.lua"] = function()
			return process.command(process.lua .. " script.lua")
		end,
		["bin/silly script.lua"] = function()
			return process.command(process.root .. "/bin/silly script.lua", nil, "LUA=" .. process.lua)
		end,
		["silly.run"] = function()
			return process.command(process.lua .. " script.lua run")
		end,
	}

	local function run(way, script)
		if not built then
			pending("no C module: " .. tostring(problem))
		end
		process.write("script.lua", [[
			local silly, task, time = require "silly", require "silly.task", require "silly.time"
			local yielder = require "yielder"
			-- Wakes the current task once it is parked.
			local function wake(value)
				local this = task.running()
				task.fork(function()
					assert(task.status(this) == "WAIT")
					task.wakeup(this, value)
				end)
			end
		]] .. script .. [[
			if arg[1] == "run" then silly.run() end
		]])
		return WAYS[way]()
	end

	for way in pairs(WAYS) do
		it("parks its task until a wakeup answers it, under " .. way, function()
			assert.same({ status = 0, out = "first\tnil\nsecond\nthird\nend\n", err = "" }, run(way, [[
				task.fork(function()
					wake("first")
					print(yielder.pause("nobody", "sees this"), nil)
					time.sleep(1)
					wake("second")
					local function deeper(depth)
						if depth > 0 then
							return (deeper(depth - 1))
						end
						return (yielder.pause())
					end
					print(deeper(50))
					wake("third")
					print((task.wait()))
					print "end"
				end)
			]]))
		end)

		it("goes to its resumer in a coroutine of the script's own, under " .. way, function()
			assert.same({ status = 0, out = "1\n2\n3\nslept\n", err = "" }, run(way, [[
				task.fork(function()
					for value in coroutine.wrap(function()
						for value = 1, 3 do yielder.pause(value) end
					end) do
						print(value)
						time.sleep(1)
					end
					time.sleep(5)
					print "slept"
				end)
			]]))
		end)

		it("can be cancelled, and leaves its place to others, under " .. way, function()
			assert.same({ status = 0, out = "true\nnil\n64\n", err = "" }, run(way, [[
				task.fork(function()
					local parked = task.fork(function()
						yielder.pause()
						print "went on"
					end)
					task.fork(function()
						print(task.cancel(parked))
						print(task.status(parked))
					end)
					local sum = 0
					for _ = 1, 64 do
						task.fork(function()
							wake(1)
							local one = yielder.pause()
							sum = sum + one
						end)
					end
					time.sleep(0)
					print(sum)
				end)
			]]))
		end)
	end
end)
