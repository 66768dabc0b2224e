local core = require "silly.core"
local silly = require "silly"
local task = require "silly.task"
local time = require "silly.time"
local log = require "spec.support.log"

describe("silly", function()
	it("has the task functions under their 2025-10 names", function()
		for _, name in ipairs { "fork", "wait", "wakeup", "running", "status", "taskstat", "tasks" } do
			assert.equal(task[name], silly[name])
			assert.is_function(silly[name])
		end
	end)

	it("says who it is", function()
		assert.is_true(silly.pid > 0)
		assert.matches("^%d+%.%d+%.%d+$", silly.version)
		assert.equal(core.version, silly.version)
		assert.is_true(silly.gitsha1 == "" or silly.gitsha1:match("^%x+$") ~= nil)
	end)

	it("gives numbers not given before", function()
		local first = silly.genid()
		assert.equal(first + 1, silly.genid())
		assert.equal(first + 2, silly.genid())
	end)
end)

describe("silly.pcall", function()
	it("T8: tells an error as text with a traceback", function()
		local ok, text = silly.pcall(function()
			error "x"
		end)
		assert.is_false(ok)
		assert.matches("^error: .*silly_spec%.lua:%d+: x\nstack traceback:\n", text)
		assert.matches("silly_spec", text:match("stack traceback:(.*)"))
	end)

	it("makes text of any error", function()
		assert.matches("^error: table: ", (select(2, silly.pcall(error, {}))))
		assert.matches("^error: nil", (select(2, silly.pcall(error))))
		local odd = setmetatable({}, { __tostring = function()
			error "again"
		end })
		assert.matches("^error: %(an error object whose tostring fails%)", (select(2, silly.pcall(error, odd))))
	end)

	it("passes arguments and results on, nil and false included", function()
		local function pass(...)
			return ...
		end
		assert.equal(5, select("#", silly.pcall(pass, nil, 1, false, nil)))
		assert.same({ true, 7 }, { silly.pcall(pass, 7) })
	end)
end)

describe("silly.error", function()
	it("logs its message with a traceback and does not raise", function()
		local ending = log.capture()
		assert.equal(0, select("#", silly.error("a message")))
		silly.error({})
		local text = ending()
		assert.matches(" E a message\nstack traceback:\n.*silly_spec", text)
		assert.matches(" E table: ", text)
	end)
end)

describe("silly.exit", function()
	it("refuses a wrong status before anything is ended", async(function()
		for _, wrong in ipairs { "x", 1.5, {}, true } do
			local ok, problem = pcall(function()
				silly.exit(wrong)
			end)
			assert.is_false(ok)
			assert.matches("silly_spec%.lua:%d+: silly%.exit: the status must be a whole number", problem)
		end
		local ran
		task.fork(function()
			ran = true
		end)
		time.sleep(1)
		assert.is_true(ran)
	end))
end)

describe("silly.run and silly.step", function()
	it("refuse to run inside the loop, at the caller's line, and change nothing", async(function()
		local ran = false
		for _, name in ipairs { "run", "step" } do
			local argument = name == "run" and function()
				ran = true
			end or nil
			local ok, problem = pcall(function()
				local result = silly[name](argument)
				return result
			end)
			assert.is_false(ok)
			assert.matches("silly_spec%.lua:%d+: silly%." .. name .. ": the loop is already running", problem)
		end
		time.sleep(1)
		assert.is_false(ran)
	end))

	it("refuse wrong arguments", function()
		assert.is_false((pcall(silly.run, 5)))
		assert.is_false((pcall(silly.step, "x")))
		assert.is_false((pcall(silly.step, -1)))
		assert.is_false((pcall(silly.step, 0.5)))
	end)
end)
