"""Names of invented people, as often as their surnames are met; and how clerks misspell them."""

from __future__ import annotations

from healthhub.city.dice import Dice, Weighted

# Shares in per mille of the population, after the yearly surname reports of the Ministry of
# Public Security; the tail is shortened.
_SURNAMES = (
    "王72 李70 张67 刘54 陈45 杨31 赵23 黄22 吴21 周21 徐15 孙15 马13 朱13 胡13 郭12 何12 高11 林11 罗10 "
    "郑10 梁9 谢8 宋8 唐8 许7 韩7 邓7 冯6 曹6 彭6 曾6 肖6 田6 董6 袁5 潘5 于5 蒋5 蔡5 余5 杜5 叶5 程5 苏5 魏4 吕4 丁4 任4 "
    "沈4 姚4 卢4 姜4 崔4 钟4 谭4 陆4 汪4 范4 金3 石3 廖3 贾3 夏3 韦3 付3 方3 白3 邹3 孟3 熊4 秦3 邱3 江3 尹2 薛2 闫2 段2 雷3 "
    "侯2 龙2 史2 陶2 黎2 贺2 顾2 毛2 郝2 龚2 邵2 万2 钱2 严2 覃2 武2 戴2 莫1 孔1 向1 汤1 别1 喻1 欧阳1 司马0.3 上官0.2 皇甫0.2"
)
SURNAMES: Weighted[str] = Weighted(
    [
        (item.rstrip("0123456789."), float(item[len(item.rstrip("0123456789.")) :]))
        for item in _SURNAMES.split()
    ]
)

_GIVEN = {
    ("M", 0): (
        "国建志永文德明光华军强平民清福来根生",
        "国华 建国 志强 永福 文斌 德明 光荣 清泉 福生 建军",
    ),
    ("F", 0): (
        "秀桂玉兰英珍芳素凤春梅香莲华云淑霞",
        "秀英 桂兰 玉珍 素芳 凤英 春梅 桂香 玉兰 秀莲 淑华",
    ),
    ("M", 1): (
        "伟勇涛斌鹏磊超刚辉波峰俊健杰飞强亮",
        "建伟 志勇 海涛 文斌 晓鹏 国辉 俊杰 少峰 海波 志刚",
    ),
    ("F", 1): (
        "丽娟敏静艳燕霞玲红芳娜莉洁婷慧琴云",
        "丽娟 晓燕 海霞 艳玲 红梅 春燕 小芳 雪琴 慧敏 静怡",
    ),
    ("M", 2): (
        "宇浩轩子睿博泽晨俊熙铭昊辰逸航安然",
        "浩宇 子轩 宇航 博文 泽宇 俊熙 铭泽 睿宸 昊然 一诺",
    ),
    ("F", 2): (
        "涵梓欣怡诗雨萱妍依若彤语思琪瑶雅可",
        "梓涵 欣怡 诗涵 雨萱 可欣 语桐 思琪 若彤 依诺 雅琪",
    ),
}
_UYGHUR = {
    "M": "艾力 买买提 吐尔逊 阿不都 玉素甫 艾合买提".split(),
    "F": "古丽娜尔 阿依古丽 热依汗 帕提古丽 米热古丽".split(),
}
_TIBETAN = {"M": "扎西 多吉 次仁 格桑".split(), "F": "卓玛 央金 拉姆 曲珍".split()}
GROUPS: Weighted[str] = Weighted(
    [
        ("01", 9700.0),
        ("15", 150.0),
        ("03", 60.0),
        ("06", 40.0),
        ("08", 25.0),
        ("11", 15.0),
        ("05", 6.0),
        ("04", 4.0),
    ]
)
"""GB 3304 ethnic groups: Han, Tujia, Hui, Miao, Zhuang, Manchu, Uyghur, Tibetan."""
GROUP_NAMES = {
    "01": "汉族",
    "03": "回族",
    "04": "藏族",
    "05": "维吾尔族",
    "06": "苗族",
    "08": "壮族",
    "11": "满族",
    "15": "土家族",
}
# Characters that look or sound alike, as they are mistaken at a registration window.
_MISTAKEN = {
    "芳": "方",
    "娟": "捐",
    "涛": "滔",
    "伟": "玮",
    "静": "婧",
    "丽": "莉",
    "燕": "艳",
    "英": "瑛",
    "珍": "真",
    "兰": "蓝",
    "文": "雯",
    "斌": "彬",
    "辉": "晖",
    "峰": "锋",
    "浩": "皓",
    "涵": "函",
    "宇": "雨",
    "梅": "玫",
    "霞": "侠",
    "明": "铭",
    "建": "健",
    "志": "智",
    "国": "帼",
    "福": "富",
    "敏": "闵",
    "欣": "昕",
}


def generation(birth_year: int) -> int:
    """Which fashion of given names a birth year falls under: 0 before 1970, 2 from 2000."""
    return 0 if birth_year < 1970 else 1 if birth_year < 2000 else 2


def given(dice: Dice, sex: str, birth_year: int) -> str:
    """A given name of the generation: one character, a common pair, or two free ones."""
    single, pairs = _GIVEN[sex, generation(birth_year)]
    throw = dice.random()
    if throw < 0.16:
        return dice.pick(single)
    if throw < 0.5:
        return dice.pick(pairs.split())
    first = dice.pick(single)
    second = dice.pick(single)
    return first + (second if second != first else dice.pick(single))


def full(dice: Dice, surname: str, sex: str, birth_year: int, group: str) -> str:
    """The whole name; with a middle dot where the group's custom is a father's name."""
    if group == "05":
        return f"{dice.pick(_UYGHUR[sex])}·{dice.pick(_UYGHUR['M'])}"
    if group == "04":
        return dice.pick(_TIBETAN[sex]) + dice.pick(_TIBETAN["M"])
    return surname + given(dice, sex, birth_year)


def mistaken(name: str) -> str:
    """The name with one character taken for another; the same name where none is alike."""
    for place in range(len(name) - 1, 0, -1):
        other = _MISTAKEN.get(name[place])
        if other:
            return name[:place] + other + name[place + 1 :]
    return name
