--- Catches what the logger writes, in this process.

local logger = require "silly.logger"

local log = {}

--- The file that lines go to, while they are caught.
local path
local caught = ""

local function contents()
	local file = assert(io.open(path, "rb"))
	local text = file:read("*a")
	file:close()
	return text
end

--- From now on lines are kept. The returned function ends that, and gives them.
function log.capture()
	log.release()
	path = os.tmpname()
	assert(logger.setoutput(path))
	return function()
		log.release()
		return log.text()
	end
end

--- Back to normal.
function log.release()
	if path then
		assert(logger.setoutput("stderr"))
		caught = contents()
		os.remove(path)
		path = nil
	end
end

--- Everything since the capture.
function log.text()
	return path and contents() or caught
end

--- How often it has a text.
---@param text string as it is, no pattern
function log.mentions(text)
	local _, count = log.text():gsub(text:gsub("%p", "%%%0"), "")
	return count
end

--- How many records of a level there are: "E", "W", "I", "D".
function log.count(level)
	local count = 0
	for line in log.text():gmatch("[^\n]*\n") do
		if line:find("^%d+%-%d+%-%d+ %d+:%d+:%d+ %x+ " .. level .. " ") then
			count = count + 1
		end
	end
	return count
end

return log
