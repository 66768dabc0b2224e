-- One message to everybody who is connected, and the answers of those who give one in time.
--
-- One process plays the server and three clients; between several it is the same. The clients'
-- handles are made with `shared = false`, or the one address would give all three the same one.
--
-- Prints:
--   3 members
--   alice hears: maintenance at ten
--   bob hears: maintenance at ten
--   carol hears: maintenance at ten
--   alice: understood
--   bob: understood
--   carol: timeout

local cluster = require "silly.net.cluster"
local task = require "silly.task"

local JOIN, ANNOUNCE = 1, 2

local members = {} -- the server's: {peer, name}, in the order in which they joined
local names = {} -- the clients': who each handle is
local heard = {}

cluster.serve {
	marshal = function(_, cmd, body)
		return body and cmd, body
	end,
	unmarshal = function(_, _, data)
		return data
	end,
	call = function(peer, cmd, body)
		if cmd == JOIN then
			members[#members + 1] = { peer = peer, name = body }
			return "welcome"
		end
		local name = names[peer]
		heard[#heard + 1] = name .. " hears: " .. body
		return name ~= "carol" and "understood" or nil -- carol never answers
	end,
}

-- Asks all at once, and returns when the last has answered or its time is up: the slowest member
-- costs 200 ms, however many there are.
local function announce(text)
	local this, left = task.running(), #members
	local answers = {}
	for index, member in ipairs(members) do
		task.fork(function()
			local answer, why = cluster.call(member.peer, ANNOUNCE, text, 200)
			answers[index] = member.name .. ": " .. (answer or why)
			left = left - 1
			if left == 0 then
				task.wakeup(this)
			end
		end)
	end
	task.wait()
	return answers
end

local listener = assert(cluster.listen("127.0.0.1:0"))

task.fork(function()
	for _, name in ipairs { "alice", "bob", "carol" } do
		local handle = cluster.connect(listener.addr, { shared = false })
		names[handle] = name
		assert(cluster.call(handle, JOIN, name))
	end
	print(#members .. " members")
	local answers = announce "maintenance at ten"
	table.sort(heard) -- connections are independent: there is no order among them
	print(table.concat(heard, "\n"))
	print(table.concat(answers, "\n"))
	for handle in pairs(names) do
		cluster.close(handle)
	end
	cluster.close(listener)
end)
