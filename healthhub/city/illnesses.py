"""Illnesses that come and go: whom they strike, what is done, what they do to the blood."""

from __future__ import annotations

from dataclasses import dataclass, field

AGES = (7, 18, 45, 65, 200)
"""Upper ends of the age bands for which yearly rates are given."""


@dataclass(frozen=True, slots=True)
class Illness:
    """An acute illness. ``rates`` are cases a year in each band of AGES; ``shifts`` move a
    test's value by so much; ``stay`` is the days in bed, 0 for none."""

    key: str
    department: str
    rates: tuple[float, float, float, float, float]
    complaint: str
    panels: tuple[str, ...] = ()
    drugs: tuple[str, ...] = ()
    days: int = 5
    study: str = ""
    stay: int = 0
    operation: str = ""
    emergency: bool = False
    sex: str = ""
    shifts: dict[str, float] = field(default_factory=dict)
    child_drugs: tuple[str, ...] = ()


_BACTERIAL = {"wbc": 5.5, "neut": 20.0, "lymph": -16.0, "crp": 38.0}
_VIRAL = {"wbc": -1.2, "lymph": 9.0, "neut": -9.0, "crp": 5.0}

ILLNESSES = (
    Illness("cold", "general", (0.9, 0.5, 0.25, 0.25, 0.3), "咽痛、流涕、发热2天", ("cbc",), ("paracetamol",),
            3, shifts=_VIRAL, child_drugs=("ibuprofen",)),
    Illness("influenza", "general", (0.1, 0.12, 0.05, 0.05, 0.06), "高热、全身酸痛1天", ("cbc", "crp"),
            ("oseltamivir",), 5, shifts=_VIRAL),
    Illness("tonsillitis", "paediatrics", (0.25, 0.15, 0.04, 0.01, 0.0), "咽痛伴发热3天", ("cbc", "crp"),
            ("amoxicillin",), 7, shifts=_BACTERIAL),
    Illness("hfmd", "paediatrics", (0.12, 0.01, 0.0, 0.0, 0.0), "口腔疱疹、手足皮疹2天", ("cbc",), (),
            shifts=_VIRAL, child_drugs=("ibuprofen",)),
    Illness("chickenpox", "paediatrics", (0.03, 0.02, 0.003, 0.0, 0.0), "全身皮疹伴瘙痒2天", ("cbc",),
            ("loratadine",), shifts=_VIRAL),
    Illness("otitis", "paediatrics", (0.1, 0.04, 0.01, 0.005, 0.005), "耳痛1天", (), ("cefuroxime",), 7),
    Illness("bronchitis", "respiratory", (0.2, 0.08, 0.06, 0.09, 0.15), "咳嗽、咳痰5天", ("cbc", "crp"),
            ("ambroxol", "cefuroxime"), 7, "chest_xray", shifts={"crp": 12.0, "wbc": 1.8},
            child_drugs=("ambroxol", "azithromycin")),
    Illness("pneumonia", "respiratory", (0.05, 0.012, 0.004, 0.01, 0.04), "咳嗽、发热伴气促4天",
            ("cbc", "crp", "liver", "kidney", "electrolyte", "coagulation"), ("ceftriaxone", "ambroxol"), 7,
            "chest_ct", 8, shifts={**_BACTERIAL, "pct": 0.9, "alb": -7.0, "dd": 0.6}),
    Illness("asthma", "respiratory", (0.03, 0.03, 0.015, 0.02, 0.02), "反复喘息2年，加重1天", ("cbc",),
            ("salbutamol",), 30, "chest_xray"),
    Illness("gastritis", "gastro", (0.0, 0.04, 0.12, 0.16, 0.14), "上腹隐痛伴反酸1月", ("cbc", "liver"),
            ("omeprazole",), 28, "abdomen_us"),
    Illness("enteritis", "gastro", (0.15, 0.06, 0.07, 0.06, 0.06), "腹痛、腹泻1天", ("cbc", "electrolyte"),
            ("montmorillonite",), 3, emergency=True, shifts={"wbc": 2.6, "neut": 9.0, "k": -0.5}),
    Illness("appendicitis", "surgery", (0.001, 0.004, 0.0035, 0.002, 0.0015), "转移性右下腹痛12小时",
            ("cbc", "crp", "coagulation", "liver", "hbv"), ("ceftriaxone",), 5, "abdomen_us", 5, "appendix",
            emergency=True, shifts={**_BACTERIAL, "pct": 0.3}),
    Illness("gallstone", "surgery", (0.0, 0.0, 0.003, 0.006, 0.007), "右上腹痛3天",
            ("cbc", "liver", "coagulation", "hbv"), ("ceftriaxone",), 5, "abdomen_us", 6, "gallbladder",
            shifts={"ggt": 90.0, "tbil": 12.0, "alt": 40.0, "wbc": 3.0}),
    Illness("uti", "urology", (0.01, 0.01, 0.05, 0.06, 0.08), "尿频、尿急、尿痛2天", ("urine", "cbc"),
            ("levofloxacin",), 7, sex="F", shifts={"uleu": 2.0, "ubld": 1.0, "unit": 1.0}),
    Illness("prostate", "urology", (0.0, 0.0, 0.0, 0.06, 0.22), "夜尿增多半年", ("urine",), ("tamsulosin",), 30,
            "urinary_us", sex="M"),
    Illness("back_pain", "orthopaedics", (0.0, 0.01, 0.07, 0.11, 0.1), "腰痛1周", (), ("celecoxib",), 6,
            "spine_xray"),
    Illness("knee", "orthopaedics", (0.0, 0.0, 0.01, 0.07, 0.14), "双膝疼痛、活动受限", (), ("celecoxib",), 6,
            "knee_xray"),
    Illness("radius", "orthopaedics", (0.004, 0.007, 0.002, 0.005, 0.008), "摔伤致腕部肿痛2小时", ("cbc",), (),
            study="wrist_xray", emergency=True),
    Illness("hip", "orthopaedics", (0.0, 0.0, 0.0, 0.001, 0.009), "摔伤致髋部疼痛、不能行走3小时",
            ("cbc", "coagulation", "electrolyte", "kidney", "hbv"), ("ceftriaxone",), 5, "hip_xray", 12, "hip",
            emergency=True, shifts={"hgb": -22.0, "dd": 3.2, "crp": 30.0}),
    Illness("concussion", "emergency", (0.004, 0.006, 0.005, 0.004, 0.004), "头部外伤后头痛1小时", ("cbc",), (),
            study="head_ct", emergency=True),
    Illness("urticaria", "dermatology", (0.06, 0.05, 0.06, 0.05, 0.04), "全身风团伴瘙痒1天", ("cbc",),
            ("loratadine",), 7),
    Illness("insomnia", "neurology", (0.0, 0.01, 0.05, 0.09, 0.1), "入睡困难1月", (), ("zopiclone",), 14),
    Illness("thyroid_nodule", "surgery", (0.0, 0.0, 0.03, 0.05, 0.04), "体检发现甲状腺结节", ("thyroid",), (),
            study="thyroid_us"),
    Illness("checkup", "checkup", (0.0, 0.02, 0.16, 0.28, 0.4), "健康体检",
            ("cbc", "urine", "liver", "kidney", "lipid", "glucose", "tumour"), (), study="chest_xray"),
    Illness("stroke", "neurology", (0.0, 0.0, 0.0003, 0.005, 0.016), "突发右侧肢体无力3小时",
            ("cbc", "glucose", "lipid", "coagulation", "kidney", "electrolyte"),
            ("aspirin", "atorvastatin"), 30, "head_ct", 11, emergency=True, shifts={"fib": 0.9, "dd": 0.5}),
    Illness("infarction", "cardiology", (0.0, 0.0, 0.0003, 0.0022, 0.005), "突发胸痛2小时",
            ("cardiac", "cbc", "coagulation", "lipid", "kidney", "electrolyte"),
            ("aspirin", "clopidogrel", "atorvastatin", "metoprolol"), 30, "heart_us", 8, "stent", emergency=True,
            shifts={"tni": 6.4, "ckmb": 62.0, "ntbnp": 900.0, "wbc": 3.5, "ast": 85.0}),
)  # fmt: skip

STUDIES = {
    "chest_xray": ("204001", "胸部正位片", "DX", "双肺纹理清晰，心影大小形态正常，双膈面光整，肋膈角锐利。", "心肺膈未见明显异常。"),
    "chest_ct": ("201001", "胸部CT平扫", "CT", "右肺下叶见斑片状高密度影，边界不清，其内见支气管充气征，余肺野清晰，纵隔内未见肿大淋巴结。",
                 "右肺下叶炎症，建议治疗后复查。"),
    "abdomen_us": ("206001", "腹部彩超", "US", "肝脏大小形态正常，实质回声均匀。胆囊壁毛糙。胰脾双肾未见明显异常回声。", "胆囊壁毛糙，余未见明显异常。"),
    "urinary_us": ("206002", "泌尿系彩超", "US", "双肾大小正常，集合系统未见分离。前列腺大小约48mm×38mm×36mm，回声欠均匀。", "前列腺增大。"),
    "thyroid_us": ("206003", "甲状腺彩超", "US", "甲状腺右叶见一大小约6mm×4mm低回声结节，边界清，形态规则。", "甲状腺右叶结节，TI-RADS 3类。"),
    "heart_us": ("206004", "超声心动图", "US", "左室前壁节段性运动减弱，左室射血分数48%，二尖瓣少量反流。", "节段性室壁运动异常，左室收缩功能减低。"),
    "obstetric_us": ("206005", "产科彩超", "US", "宫内见单胎，胎心率146次/分，羊水指数125mm，胎盘位于后壁，成熟度I级。", "宫内单活胎，符合孕周。"),
    "spine_xray": ("204002", "腰椎正侧位片", "DX", "腰椎生理曲度变直，各椎体边缘骨质增生，L4/5椎间隙变窄。", "腰椎退行性改变。"),
    "knee_xray": ("204003", "双膝正侧位片", "DX", "双膝关节间隙变窄，胫骨平台及髁间嵴骨质增生变尖。", "双膝退行性骨关节病。"),
    "wrist_xray": ("204004", "腕关节正侧位片", "DX", "桡骨远端骨皮质断裂，断端略向背侧移位，关节面尚完整。", "桡骨远端骨折。"),
    "hip_xray": ("204005", "髋关节正位片", "DX", "股骨颈骨皮质不连续，断端嵌插，股骨头位置可。", "股骨颈骨折。"),
    "head_ct": ("201002", "颅脑CT平扫", "CT", "双侧基底节区见小片状低密度影，边界模糊，脑室系统大小形态正常，中线结构居中。", "双侧基底节区腔隙性改变，请结合临床。"),
    "chest_mass": ("201003", "胸部CT增强", "CT", "左肺上叶见一大小约32mm×28mm软组织密度影，分叶状，边缘毛刺，增强后不均匀强化，纵隔见肿大淋巴结。",
                   "左肺上叶占位，考虑恶性肿瘤性病变，建议病理检查。"),
}  # fmt: skip
"""Imaging by key: local code, name, modality, findings, impression."""

OPERATIONS = {
    "appendix": ("47.0100", "腹腔镜下阑尾切除术", "全身麻醉"),
    "gallbladder": ("51.2300", "腹腔镜下胆囊切除术", "全身麻醉"),
    "hip": ("81.5200", "髋关节部分置换", "椎管内麻醉"),
    "stent": ("36.0700", "药物洗脱冠状动脉支架置入", "局部麻醉"),
    "caesarean": ("74.1x01", "剖宫产术，子宫下段横切口", "椎管内麻醉"),
    "lobe": ("32.4100", "胸腔镜下肺叶切除术", "全身麻醉"),
    "colon": ("45.7302", "右半结肠根治性切除术", "全身麻醉"),
}
